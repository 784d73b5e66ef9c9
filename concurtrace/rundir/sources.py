"""Source text of the target's files as they were during the run, kept with what is computed.

It is read when the run is first looked at, of files that have not changed since it began; later
looks find it in ``derived/sources.json``. What is a credential by its shape is masked in it.
"""

import contextlib
import datetime
import json
from collections.abc import Iterable
from pathlib import Path

from concurtrace.errors import RunFailedError
from concurtrace.model.masking import mask_shapes
from concurtrace.model.recording import SourceFile
from concurtrace.rundir.atomic import write_atomically

FILE_NAME = "sources.json"
_FORMAT = 1
_FILES = 60
_LONGEST = 400_000
"""Bytes: what is longer was written by a program, and is read by none."""


def source_files(folder: Path, wanted: Iterable[str], started_at: str) -> tuple[SourceFile, ...]:
    """Return the text of those of the wanted files that are known, or can still be read."""
    stored = folder / "derived" / FILE_NAME
    known = _stored(stored)
    began = datetime.datetime.fromisoformat(started_at).timestamp()
    fresh = {}
    for file in list(dict.fromkeys(wanted))[:_FILES]:
        if file not in known:
            text = _read(Path(file), began)
            if text is not None:
                fresh[file] = text
    known = {**known, **fresh}
    if fresh:
        document = json.dumps({"format": _FORMAT, "files": known})
        # A run directory that nobody may write to is read again the next time.
        with contextlib.suppress(OSError, RunFailedError):
            stored.parent.mkdir(exist_ok=True)
            write_atomically(stored, document.encode())
    return tuple(SourceFile(file, tuple(text)) for file, text in known.items())


def _stored(path: Path) -> dict[str, list[str]]:
    """Read what was kept; nothing where it is missing, damaged or of another format."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        return {}
    files = document.get("files")
    return files if isinstance(files, dict) else {}


def _read(path: Path, began: float) -> list[str] | None:
    """Read a file; None where it is none, is too long, or changed after the run began."""
    try:
        known = path.stat()
        if known.st_mtime > began + 1 or known.st_size > _LONGEST:
            return None
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        return None
    shown = mask_shapes(text)
    # A private key over many lines leaves none of them: numbers would not be those of the file.
    return shown.splitlines() if shown.count("\n") == text.count("\n") else None
