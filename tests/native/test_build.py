"""The package builds what the tests test."""

from __future__ import annotations

import tomllib
from pathlib import Path

from .conftest import NATIVE


def test_the_package_lists_every_source_and_header() -> None:
    root = NATIVE.parents[1]
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    modules = settings["tool"]["setuptools"]["ext-modules"]
    (recorder,) = [m for m in modules if m["name"] == "concurtrace._recorder"]

    def beside(pattern: str) -> set[str]:
        return {str(Path(path).relative_to(root)) for path in NATIVE.glob(pattern)}

    assert beside("*.c") <= set(recorder["sources"])
    assert beside("*.h") | beside("*.def") <= set(recorder["depends"])
