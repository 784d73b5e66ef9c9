"""How the target is started: a workload by the harness, any other program as it is."""

import contextlib
import json
import os
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.errors import RunFailedError
from concurtrace.launch.plan import RunPlan, load_workload
from concurtrace.workload import ServiceError, Work


@dataclass(frozen=True)
class Command:
    """A command line, and the file into which the harness writes its answer."""

    argv: tuple[str, ...]
    answer_file: Path

    def answer(self) -> Mapping[str, Any]:
        """Read what the harness wrote; empty if it did not come to it, or there is none."""
        if not self.answer_file.exists():
            return {}
        answer: Mapping[str, Any] = json.loads(self.answer_file.read_bytes())
        return answer


@contextlib.contextmanager
def ready(plan: RunPlan, raw: Path, mode: str | None, number: int) -> Iterator[Command]:
    """Give the command for one execution, with the services of a workload running around it.

    ``mode`` None works out a workload's expected result. RunFailedError if a service fails.
    """
    answer_file = raw / f"result-{number}.json"
    if plan.command is not None:
        yield Command(plan.command, answer_file)
        return
    target = plan.target
    workload = load_workload(target.name)
    spec = raw / "spec.json"
    try:
        with workload.serve(Work(target.parameters)) as services:
            document = {
                "module": modules(plan)[0],
                "mode": mode,
                "before": workload.modes[mode].before if mode else None,
                "parameters": dict(target.parameters),
                "services": dict(services),
                "result": str(answer_file),
            }
            spec.write_text(json.dumps(document), encoding="utf-8")
            harness = (sys.executable, "-P", "-m", "concurtrace.launch.harness", str(spec))
            yield Command(harness, answer_file)
    except ServiceError as error:
        raise RunFailedError(f"A service of {target.name} failed: {error}.") from error


def bootstrap_path() -> str:
    """Return the PYTHONPATH with which every Python process of a target starts as ours do."""
    folder = str(Path(__file__).parent / "bootstrap")
    return os.pathsep.join(part for part in (folder, os.environ.get("PYTHONPATH")) if part)


def modules(plan: RunPlan) -> tuple[str, ...]:
    """List the modules whose functions are the workload's own; private ones are its services."""
    if plan.command is not None:
        return ()
    module = discovery.modules(Kind.WORKLOAD)[plan.target.name]
    spec = find_spec(module)
    folders = spec.submodule_search_locations if spec is not None else None
    inside = pkgutil.iter_modules(folders) if folders else ()
    parts = (f"{module}.{one.name}" for one in inside if not one.name.startswith("_"))
    return (module, *parts)
