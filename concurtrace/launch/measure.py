"""Run one mode of a workload inside the target and write its result."""

import gc
import importlib
import json
import multiprocessing
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from concurtrace.launch import agent, describe, load
from concurtrace.workload import Result, Work, Workload


def measure(spec: dict[str, Any]) -> None:
    """Run what the spec says; exit 1 with Python's own traceback if the work raises."""
    workload: Workload = importlib.import_module(spec["module"]).WORKLOAD
    work = Work(spec["parameters"], spec["services"])
    method = spec["parameters"].get("start-method")
    if method:
        multiprocessing.set_start_method(method)
    if spec["mode"] is None:
        answer: dict[str, Any] = {"checksum": workload.expected(work).checksum}
    else:
        answer = _measure(workload, spec["mode"], work)
    _write(Path(spec["result"]), {**answer, "environment": describe.environment()})
    if "error" in answer:
        sys.exit(1)


def _measure(workload: Workload, mode_name: str, work: Work) -> dict[str, Any]:
    mode = workload.modes[mode_name]
    for name in mode.imports:
        importlib.import_module(name)
    gc.collect()
    results: list[Result] = []
    clocks: list[int] = []
    busy_ns: list[int] = []

    def run() -> None:
        busy_ns.append(load.machine_busy_ns())
        clocks.extend((time.monotonic_ns(), _cpu_ns()))
        try:
            results.append(mode.function(work))
        finally:
            clocks.extend((time.monotonic_ns(), _cpu_ns()))
            busy_ns.append(load.machine_busy_ns())

    error = None
    try:
        agent.watched(run, "MainProcess")
    except (Exception, KeyboardInterrupt) as raised:
        error = _print_as_python_would(raised)
    answer = {
        "start_ns": clocks[0],
        "wall_ns": clocks[2] - clocks[0],
        "cpu_ns": clocks[3] - clocks[1],
        "machine_busy_ns": busy_ns[1] - busy_ns[0],
    }
    if error is not None:
        return {**answer, "error": error}
    return {**answer, "checksum": results[0].checksum, "observed": dict(results[0].observed)}


def _cpu_ns() -> int:
    """CPU time of this process and of its children that were waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(sum(usage.ru_utime + usage.ru_stime for usage in usages) * 1e9)


def _print_as_python_would(raised: BaseException) -> str:
    """Print the traceback without the frames of this harness; return its last line."""
    frames = raised.__traceback__
    own = {__file__, agent.__file__}
    while frames is not None and frames.tb_frame.f_code.co_filename in own:
        frames = frames.tb_next
    traceback.print_exception(raised.with_traceback(frames))
    return "".join(traceback.format_exception_only(raised)).strip()


def _write(path: Path, answer: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        temporary.write_text(json.dumps(answer), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        sys.exit(f"concurtrace: Cannot write {path}: {error.strerror}.")
