"""Raw files as JSON with a format mark: written whole or not at all, read back with words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_raw(path: Path, kind: str, version: int, content: dict[str, Any]) -> None:
    """Write a raw file by way of a temporary one, so that a kill leaves no half of it."""
    document = {"format": {"name": f"concurtrace-{kind}", "version": version}, **content}
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    temporary.replace(path)


def read_raw(path: Path, kind: str, version: int) -> dict[str, Any]:
    """Read a raw file; RunDataError says which is damaged or foreign and how."""
    from concurtrace.errors import RunDataError

    try:
        document = json.loads(path.read_bytes())
        mark = document["format"]
        name, found = mark["name"], mark["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDataError(f"{path} is damaged: {type(error).__name__}: {error}.") from None
    if name != f"concurtrace-{kind}" or found != version:
        raise RunDataError(
            f"{path} has format {name} {found}; this concurtrace reads"
            f" concurtrace-{kind} {version}."
        )
    return dict(document)
