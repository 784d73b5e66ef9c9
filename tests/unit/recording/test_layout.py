"""The NumPy types are the C structures, field by field, as the compiler lays them out."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import concurtrace
from concurtrace.recording import layout

HEADER = Path(concurtrace.__file__).parent / "native" / "format.h"
STRUCTURES = {
    "ct_chunk": layout.CHUNK,
    "ct_header": layout.HEADER,
    "ct_total": layout.TOTAL,
    "ct_pair": layout.PAIR,
    "ct_thread": layout.SLOT,
    "ct_meta_object": layout.META_OBJECT_RECORD,
    "ct_meta_order": layout.META_ORDER_RECORD,
    "ct_meta_message": layout.META_MESSAGE_RECORD,
    "ct_meta_site": layout.META_SITE_RECORD,
    "ct_meta_queue": layout.META_QUEUE_RECORD,
    "ct_queue_reading": layout.QUEUE_READING,
    "ct_collections": layout.COLLECTIONS,
    "ct_shared": layout.SHARED,
    "ct_process": layout.PROCESS,
}
NUMBERS = {
    "CT_FORMAT_VERSION": layout.FORMAT_VERSION,
    "CT_CHUNK_SIZE": layout.CHUNK_SIZE,
    "CT_SLOTS_PER_CHUNK": layout.SLOTS_PER_CHUNK,
    "CT_STATES": layout.STATE_COUNT,
    "CT_PAIRS": layout.PAIR_COUNT,
    "CT_SHARED_PROCESSES": layout.SHARED_PROCESSES,
    "CT_SHARED_PROCESSES_AT": layout.SHARED_PROCESSES_AT,
    "CT_META_READY": layout.META_READY,
    "CT_F_FOLD": layout.SPAN_FOLD,
    "CT_F_CONTINUED": layout.SPAN_CONTINUED,
    "CT_CHUNK_META": layout.CHUNK_META,
    "CT_META_OBJECT": layout.META_OBJECT,
    "CT_META_ORDER": layout.META_ORDER,
    "CT_META_MESSAGE": layout.META_MESSAGE,
    "CT_META_SITE": layout.META_SITE,
    "CT_META_QUEUE": layout.META_QUEUE,
    "CT_QUEUE_READINGS": layout.QUEUE_READINGS,
    "CT_GENERATIONS": layout.GENERATIONS,
    "CT_H_COLLECTIONS": layout.H_COLLECTIONS,
    "CT_ORDER_HELD": layout.ORDER_HELD,
    "CT_ORDER_THREADS": layout.ORDER_THREADS,
    "CT_H_TABLE_FULL": layout.H_TABLE_FULL,
    "CT_H_BUDGET_USED": layout.H_BUDGET_USED,
    "CT_T_ENDED": layout.T_ENDED,
    "CT_T_STOPPED": layout.T_STOPPED,
    "CT_P_DEAD_ROW": layout.P_DEAD_ROW,
    "CT_START_EXEC": layout.START_EXEC,
    "CT_STARTING": len(layout.STATE_OF) - 1,
}


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_structures_and_numbers_are_those_of_the_header(tmp_path: Path) -> None:
    lines = ["#include <stddef.h>", "#include <stdio.h>", f'#include "{HEADER}"', "int main() {"]
    lines.append('puts("{");')
    for name, kind in STRUCTURES.items():
        assert kind.names is not None
        for one in kind.names:
            place = f"offsetof(struct {name}, {one}), sizeof ((struct {name} *)0)->{one}"
            lines.append(f'printf("\\"{name}.{one}\\": [%zu, %zu],\\n", {place});')
        lines.append(f'printf("\\"{name}\\": [%zu],\\n", sizeof(struct {name}));')
    lines += [f'printf("\\"{name}\\": %llu,\\n", (unsigned long long){name});' for name in NUMBERS]
    (tmp_path / "told.c").write_text("\n".join([*lines, 'puts("\\"\\": 0}");', "}"]))
    subprocess.run(["cc", "told.c", "-o", "told"], cwd=tmp_path, check=True)
    told = json.loads(subprocess.check_output([tmp_path / "told"]))
    for name, kind in STRUCTURES.items():
        assert told[name] == [kind.itemsize], name
        for one, (part, offset) in _fields(kind).items():
            assert told[f"{name}.{one}"] == [offset, part.itemsize], f"{name}.{one}"
    assert {name: told[name] for name in NUMBERS} == NUMBERS


def _fields(kind: np.dtype[np.void]) -> dict[str, tuple[np.dtype[np.generic], int]]:
    assert kind.fields is not None
    return {name: (part[0], part[1]) for name, part in kind.fields.items()}
