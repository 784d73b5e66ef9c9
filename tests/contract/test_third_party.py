"""A package of somebody else adds a workload, an instrument and a renderer: one file each."""

import shutil
import tomllib
from pathlib import Path

import pytest

from tests.cli import concurtrace
from tests.plugin_site import install

EXAMPLE = Path(__file__).parent.parent / "example_plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example installed in it as pip would, made without a network."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE / "concurtrace_example", folder / "concurtrace_example")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(folder, project["name"], project["entry-points"])
    return folder


def test_all_three_work_together(site: Path, tmp_path: Path) -> None:
    extra = {"PYTHONPATH": str(site)}
    done = concurtrace(
        tmp_path,
        "profile",
        "greeting",
        "--mode",
        "threads",
        "--with",
        "baseline,pulse",
        "--repeat",
        "1",
        extra=extra,
    )
    assert done.returncode == 0, done.stderr
    shown = concurtrace(tmp_path, "show", "last", "--format", "one-line", extra=extra)
    assert shown.stdout == "greeting: True (Garbage collections)\n"


@pytest.mark.parametrize(
    ("what", "name"),
    [("workloads", "greeting"), ("instruments", "pulse"), ("renderers", "one-line")],
)
def test_each_is_listed(site: Path, tmp_path: Path, what: str, name: str) -> None:
    listed = concurtrace(tmp_path, "list", what, extra={"PYTHONPATH": str(site)})
    assert any(line.startswith(name) for line in listed.stdout.splitlines()), listed.stdout
