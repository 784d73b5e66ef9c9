"""A damaged recording gives an error that says so, or what can still be believed of it.

The same with a hundred thousand mutations: ``python -m tests.fuzz.recording 100000``.
"""

from pathlib import Path

import pytest

from tests.fuzz.recording import Fuzzer


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_never_crash_the_reader(tmp_path: Path, seed: int) -> None:
    fuzzer = Fuzzer(tmp_path, seed)
    for _ in range(100):
        fuzzer.once()
    # Both outcomes must occur, or the fuzzer has lost its teeth.
    assert fuzzer.refused
    assert fuzzer.partial
