"""The NumPy types are the C structures of the recorder of tasks, as the compiler lays them out."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import concurtrace
from concurtrace.model.tasks import (
    BUCKETS,
    Flavour,
    Outcome,
    Source,
    StepFlag,
    TaskState,
    bucket_ns,
)
from concurtrace.recording import task_layout as layout

HEADER = Path(concurtrace.__file__).parent / "native" / "tasks" / "format.h"
STRUCTURES = {
    "tk_header": layout.HEADER,
    "tk_chunk": layout.CHUNK_HEAD,
    "tk_task": layout.TASK,
    "tk_step": layout.STEP,
    "tk_site": layout.SITE,
    "tk_loop": layout.LOOP,
    "tk_job": layout.JOB,
    "tk_fault": layout.FAULT,
    "tk_cancel": layout.CANCEL,
}
NUMBERS = {
    "TK_VERSION": layout.VERSION,
    "TK_CHUNK": layout.CHUNK,
    "TK_BUCKETS": BUCKETS,
    "TK_FAULTS": layout.FAULTS,
    "TK_CANCELS": layout.CANCELS,
    "TK_STACK": layout.STACK,
    "TK_SHUTDOWN": layout.FAULT_KINDS,
    "TK_H_FULL": layout.H_FULL,
    "TK_S_CANCELLING": TaskState.CANCELLING.code,
    "TK_S_DONE": TaskState.DONE.code,
    "TK_P_CANCELLING": StepFlag.CANCELLING.value,
    "TK_DESTROYED": tuple(Outcome).index(Outcome.DESTROYED),
    "TK_FROM_ITSELF": Source.ITSELF.value,
    "TK_UNKNOWN_LOOP": tuple(Flavour).index(Flavour.UNKNOWN),
}


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_structures_and_numbers_are_those_of_the_header(tmp_path: Path) -> None:
    lines = ["#include <stddef.h>", "#include <stdio.h>", f'#include "{HEADER}"', "int main() {"]
    lines.append('puts("{");')
    for name, kind in STRUCTURES.items():
        for one in kind.names or ():
            place = f"offsetof(struct {name}, {one}), sizeof ((struct {name} *)0)->{one}"
            lines.append(f'printf("\\"{name}.{one}\\": [%zu, %zu],\\n", {place});')
        lines.append(f'printf("\\"{name}\\": [%zu],\\n", sizeof(struct {name}));')
    lines += [f'printf("\\"{name}\\": %llu,\\n", (unsigned long long){name});' for name in NUMBERS]
    (tmp_path / "told.c").write_text("\n".join([*lines, 'puts("\\"\\": 0}");', "}"]))
    subprocess.run(["cc", "told.c", "-o", "told"], cwd=tmp_path, check=True)
    told = json.loads(subprocess.check_output([tmp_path / "told"]))
    for name, kind in STRUCTURES.items():
        assert told[name] == [kind.itemsize], name
        assert kind.fields is not None
        for one, part in kind.fields.items():
            assert told[f"{name}.{one}"] == [part[1], part[0].itemsize], f"{name}.{one}"
    assert {name: told[name] for name in NUMBERS} == NUMBERS


def test_buckets_are_in_order_and_a_quarter_wide_at_most() -> None:
    edges = np.array([bucket_ns(number) for number in range(BUCKETS)])
    assert edges[1] == 320
    assert edges[4] == 512
    assert (np.diff(edges) > 0).all()
    assert (np.diff(edges[1:]) / edges[1:-1]).max() <= 0.25
