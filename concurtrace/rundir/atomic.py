"""Write files whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from concurtrace.errors import RunFailedError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one beside it; RunFailedError names a disk problem."""
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes private files; a report is an ordinary one.
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                Path(temporary).unlink()
        raise RunFailedError(f"Cannot write {path}: {error.strerror}.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
