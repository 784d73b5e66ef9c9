"""Make packages visible as if pip had installed them, without a network."""

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, name: str, entry_points: Mapping[str, Mapping[str, str]]) -> None:
    """Write the metadata that entry points are found by; the code is already in the folder."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for group, points in entry_points.items():
        lines += [f"[{group}]", *(f"{point} = {value}" for point, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))


def install_workload(folder: Path, name: str, source: str) -> dict[str, str]:
    """Install one workload from its source; return the environment in which it is found."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}_workload.py").write_text(source)
    install(folder, f"test-{name}", {"concurtrace.workloads": {name: f"{name}_workload"}})
    return {"PYTHONPATH": str(folder)}
