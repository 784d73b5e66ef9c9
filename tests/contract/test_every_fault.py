"""What every fault does in each of its modes, and that it does so every time.

The cases run a few at a time, each by the command with which the launcher runs a workload, and
each test waits for its own. A run hangs when no thread of its processes wants a core any more, and
none has had one for a while: that takes much less time than any limit, and can't be mistaken for a
slow machine.
"""

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.launch import command, plan
from concurtrace.launch.plan import RunPlan
from concurtrace.model.run import Target
from concurtrace.workload import Fault, FaultOutcome, Work

AT_ONCE = 4
QUIET_S = 0.7
LIMIT_S = 60.0
WORKLOADS = {name: plan.load_workload(name) for name in discovery.modules(Kind.WORKLOAD)}


@dataclass(frozen=True)
class Case:
    """A fault in one of its modes."""

    workload: str
    fault: Fault
    mode: str

    def __str__(self) -> str:
        return f"{self.workload}-{self.fault.name}-{self.mode}"

    def target(self) -> Target:
        return plan.workload_target(self.workload, self.mode, "tiny", {"fault": self.fault.name})


@dataclass(frozen=True)
class Ended:
    """How a run ended: by itself with an answer, or hanging with the stacks of its threads."""

    hangs: bool
    answer: Mapping[str, Any]
    stderr: str


CASES = [
    Case(name, fault, mode)
    for name, workload in WORKLOADS.items()
    for fault in workload.faults
    for mode in fault.modes or tuple(workload.modes)
]


@dataclass
class Family:
    """A run's processes, as one looks at them from time to time."""

    root: psutil.Process
    seen: tuple[object, ...] = ()
    unchanged_since: float = field(default_factory=time.monotonic)

    def hangs(self) -> bool:
        """Tell whether none of its threads has run for a while, nor wants to."""
        now, looks = time.monotonic(), self.look()
        if looks is None or looks != self.seen:
            self.seen, self.unchanged_since = looks or (), now
        return now - self.unchanged_since > QUIET_S

    def look(self) -> tuple[object, ...] | None:
        """Return who is there and how long each has run; None while somebody wants to run."""
        looks: list[object] = []
        for process in (self.root, *self.root.children(recursive=True)):
            # What ends meanwhile is a change, too.
            with contextlib.suppress(OSError, psutil.Error):
                for task in Path(f"/proc/{process.pid}/task").iterdir():
                    state = (task / "stat").read_text().rpartition(")")[2].split()[0]
                    if state in "RD":
                        return None
                    looks.append((task.name, (task / "schedstat").read_text().split()[0]))
        return tuple(looks)


@pytest.fixture(scope="module")
def ended(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Case], Ended]]:
    """Run the cases of the selected tests, a few at a time, and return how each ended."""
    wanted = [
        cast("Case", item.callspec.params["case"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module
    ]
    folder = tmp_path_factory.mktemp("faults")
    with ThreadPoolExecutor(AT_ONCE) as crew:
        runs: dict[Case, Future[Ended]] = {
            case: crew.submit(run, case, folder / str(case)) for case in wanted if not missing(case)
        }
        yield lambda case: runs[case].result()
        for future in runs.values():
            future.cancel()
    concurrent.futures.wait(runs.values())


def missing(case: Case) -> str:
    """Say what this case needs that is not there; else nothing."""
    mode = WORKLOADS[case.workload].modes[case.mode]
    tops = {one.partition(".")[0] for one in mode.imports} if mode.extra else set()
    absent = next((one for one in sorted(tops) if find_spec(one) is None), "")
    return f"{absent} is not installed" if absent else WORKLOADS[case.workload].missing() or ""


def run(case: Case, folder: Path) -> Ended:
    """Run a case until it ends or hangs; then end what is left of it."""
    folder.mkdir()
    run_plan = RunPlan(case.target(), (), None, {}, None)
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1", "TMPDIR": str(folder)}
    with (
        command.ready(run_plan, folder, case.mode, 0) as ready,
        (folder / "said").open("w") as said,
    ):
        child = subprocess.Popen(
            ready.argv, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        hangs = until_ended_or_hanging(child)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        answer = ready.answer()
    return Ended(hangs, answer, (folder / "said").read_text())


def until_ended_or_hanging(child: "subprocess.Popen[bytes]") -> bool:
    """Wait for either; tell whether it hangs, in which case it is made to say where, and ends."""
    deadline = time.monotonic() + LIMIT_S
    family = Family(psutil.Process(child.pid))
    while child.poll() is None:
        if family.hangs():
            child.send_signal(signal.SIGABRT)
            child.wait()
            return True
        assert time.monotonic() < deadline, "it neither ends nor hangs"
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_does_what_it_declares(case: Case, ended: Callable[[Case], Ended]) -> None:
    if missing(case):
        pytest.skip(missing(case))
    how = ended(case)
    assert outcome(case, how) is case.fault.outcome, how.stderr
    if how.hangs:
        # Not in an import, nor at its end: in the workload.
        module = discovery.load(Kind.WORKLOAD, case.workload).__file__ or ""
        place = module.removesuffix("__init__.py")
        assert f'File "{place}' in how.stderr


def outcome(case: Case, how: Ended) -> FaultOutcome:
    """Put into the workloads' words how a run ended."""
    if how.hangs:
        return FaultOutcome.HANG
    if "checksum" not in how.answer:
        return FaultOutcome.EXCEPTION
    right = WORKLOADS[case.workload].expected(Work(case.target().parameters)).checksum
    return FaultOutcome.COST if how.answer["checksum"] == right else FaultOutcome.WRONG_RESULT
