"""The manifest of a run, ``run.json``: what was run, where, by which passes, how they ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import cattrs
from cattrs import transform_error

from concurtrace.errors import RunDataError
from concurtrace.model.masking import mask_arguments, mask_text
from concurtrace.model.run import Environment, Execution, Pass, Target
from concurtrace.rundir.atomic import write_atomically

FORMAT_NAME = "concurtrace-run"
FORMAT_VERSION = 1
FILE_NAME = "run.json"


class RunStatus(StrEnum):
    """Whether the launcher came to the end of its passes."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Manifest:
    """The manifest; ``options`` are the settings that each instrument was given."""

    run: str
    started_at: str
    status: RunStatus
    target: Target
    environment: Environment | None = None
    expected_checksum: str | None = None
    passes: tuple[Pass, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_converter = cattrs.Converter(forbid_extra_keys=False)
_converter.register_structure_hook(int | float | str, lambda value, _type: value)


def write(manifest: Manifest, folder: Path) -> None:
    """Write the manifest whole or not at all; what looks like a credential is masked in it."""
    document = {
        "format": {"name": FORMAT_NAME, "version": FORMAT_VERSION},
        **_converter.unstructure(_masked(manifest)),
    }
    write_atomically(folder / FILE_NAME, json.dumps(document, indent=1).encode())


def _masked(manifest: Manifest) -> Manifest:
    """Mask what was typed, and what the target or the system said."""
    passes = tuple(
        replace(
            one,
            reason=one.reason and mask_text(one.reason),
            executions=tuple(map(_masked_execution, one.executions)),
        )
        for one in manifest.passes
    )
    target = replace(manifest.target, argv=mask_arguments(manifest.target.argv))
    return replace(manifest, target=target, passes=passes)


def _masked_execution(execution: Execution) -> Execution:
    return replace(execution, error=execution.error and mask_text(execution.error))


def read(folder: Path) -> Manifest:
    """Read a manifest; RunDataError says what is damaged or foreign and where."""
    path = folder / FILE_NAME
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RunDataError(f"{folder} is not a run directory: it has no {FILE_NAME}.") from None
    except (OSError, ValueError) as error:
        raise RunDataError(f"{path} is damaged: {error}.") from None
    check_format(path, document, FORMAT_NAME, FORMAT_VERSION)
    try:
        return _converter.structure(document, Manifest)
    except (cattrs.BaseValidationError, KeyError, TypeError, ValueError) as error:
        where = "; ".join(transform_error(error)[:3])
        raise RunDataError(f"{path} is damaged: {where}.") from None


def structure_environment(described: Mapping[str, Any]) -> Environment:
    """Turn what a child described itself as into an Environment."""
    return _converter.structure(described, Environment)


def check_format(path: Path, document: object, name: str, version: int) -> None:
    """Refuse what has another name or version; RunDataError says what to do."""
    mark = document.get("format") if isinstance(document, dict) else None
    if not isinstance(mark, dict) or mark.get("name") != name:
        raise RunDataError(f"{path} was not written by concurtrace: it names no {name}.")
    if mark.get("version") != version:
        raise RunDataError(
            f"{path} has format version {mark.get('version')}; this concurtrace reads version"
            f" {version}. Open it with the version that wrote it."
        )
