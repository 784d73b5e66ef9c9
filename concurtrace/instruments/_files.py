"""JSON files that a probe writes inside the target and its instrument reads back."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any, TypeVar

    from concurtrace.model.recording import ProcessKey

    Document = dict[str, Any]
    T = TypeVar("T")


def write_json(path: Path, document: Document) -> None:
    """Write a file whole or not at all, whatever kills this process meanwhile.

    OSError if it can't be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
        part.replace(path)
    except OSError:
        # Where the disk is full, this is what filled it.
        part.unlink(missing_ok=True)
        raise


def read_json(path: Path, format_number: int) -> Document:
    """Read such a file; RunDataError says what is damaged, and where."""
    from concurtrace.errors import RunDataError

    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise RunDataError(f"{path} is damaged: {error}.") from None
    except OSError as error:
        raise RunDataError(f"{path} cannot be read: {error.strerror}.") from None
    if not isinstance(document, dict) or document.get("format") != format_number:
        raise RunDataError(f"{path} is damaged or foreign: it is not of format {format_number}.")
    return document


def read_each(
    out: Path, suffix: str, format_number: int, decode: Callable[[Document], T]
) -> list[tuple[ProcessKey, T]]:
    """Read and decode the files of all processes of a pass, in order of their start.

    RunDataError says what is damaged, and where.
    """
    from concurtrace.errors import RunDataError
    from concurtrace.rundir.processes import read_processes

    registry = read_processes(out.parent)
    files = {path.name.removesuffix(suffix): path for path in out.glob(f"[!.]*{suffix}")}
    for stem in files.keys() - registry.keys():
        raise RunDataError(f"{files[stem]} belongs to no process in {out.parent / 'processes'}.")
    found = []
    for stem, process in registry.items():
        if stem in files:
            with decoding(files[stem]):
                found.append((process.key, decode(read_json(files[stem], format_number))))
    return found


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn what goes wrong while data from a file are taken apart into a RunDataError."""
    from concurtrace.errors import RunDataError

    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise RunDataError(f"{path} is damaged: {type(error).__name__}: {error}.") from None
