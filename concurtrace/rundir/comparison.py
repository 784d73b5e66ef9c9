"""The manifest of a comparison, ``comparison.json``: which runs it is made of, and how it ended.

The runs are run directories of their own, under ``modes/``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cattrs
from cattrs import transform_error

from concurtrace.errors import RunDataError
from concurtrace.model.run import Value
from concurtrace.rundir.atomic import write_atomically
from concurtrace.rundir.manifest import RunStatus, check_format

FORMAT_NAME = "concurtrace-comparison"
FORMAT_VERSION = 1
FILE_NAME = "comparison.json"
MODES = "modes"


@dataclass(frozen=True)
class ComparedRun:
    """A run of a comparison; ``workers`` is None where their number was not varied."""

    mode: str
    workers: int | None
    folder: str


@dataclass(frozen=True)
class ComparisonManifest:
    """The manifest; ``parameters`` are those that all runs share."""

    run: str
    started_at: str
    status: RunStatus
    workload: str
    parameters: Mapping[str, Value]
    reference: str
    rounds: int
    runs: tuple[ComparedRun, ...]
    left_out: tuple[str, ...] = ()


_converter = cattrs.Converter(forbid_extra_keys=False)
_converter.register_structure_hook(int | float | str, lambda value, _type: value)


def is_comparison(folder: Path) -> bool:
    """Tell whether a directory holds a comparison rather than a run."""
    return (folder / FILE_NAME).exists()


def write(manifest: ComparisonManifest, folder: Path) -> None:
    """Write the manifest whole or not at all."""
    mark = {"name": FORMAT_NAME, "version": FORMAT_VERSION}
    document = {"format": mark, **_converter.unstructure(manifest)}
    write_atomically(folder / FILE_NAME, json.dumps(document, indent=1).encode())


def read(folder: Path) -> ComparisonManifest:
    """Read a manifest; RunDataError says what is damaged or foreign and where."""
    path = folder / FILE_NAME
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunDataError(f"{path} is damaged: {error}.") from None
    check_format(path, document, FORMAT_NAME, FORMAT_VERSION)
    try:
        return _converter.structure(document, ComparisonManifest)
    except (cattrs.BaseValidationError, KeyError, TypeError, ValueError) as error:
        where = "; ".join(transform_error(error)[:3])
        raise RunDataError(f"{path} is damaged: {where}.") from None
