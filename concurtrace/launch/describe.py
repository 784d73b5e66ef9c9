"""Describe the interpreter and the machine that this code runs in: run inside the target's child.

Only the standard library is used; the figures come from /proc and /sys of Linux.
"""

import contextlib
import json
import os
import platform
import re
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

from concurtrace.launch.cgroup import quota

PACKAGES = (
    "aiohttp",
    "gevent",
    "line_profiler",
    "memory_profiler",
    "numpy",
    "psutil",
    "requests",
    "twisted",
    "uvloop",
    "viztracer",
)


def environment() -> dict[str, Any]:
    """Describe this process's interpreter and machine as plain data (model.run.Environment)."""
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    gil_state = getattr(sys, "_is_gil_enabled", lambda: True)  # new in 3.13
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "gil": bool(gil_state()),
        "free_threaded": free_threaded,
        "start_method": _start_method(),
        "switch_interval_ns": round(sys.getswitchinterval() * 1e9),
        "machine": machine(),
        "packages": _packages(),
        "concurtrace": _version("concurtrace") or "unknown",
    }


def _start_method() -> str:
    import multiprocessing

    return (
        multiprocessing.get_start_method(allow_none=True)
        or multiprocessing.get_context(None).get_start_method()
    )


def _packages() -> dict[str, str]:
    versions = {name: _version(name) for name in PACKAGES}
    return {name: version for name, version in versions.items() if version is not None}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """Describe cores, caches, memory nodes and limits (model.run.Machine)."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    threads = _siblings()
    allowed = quota()
    cores = os.cpu_count() or 1
    return {
        "cores": cores,
        "usable_cores": len(os.sched_getaffinity(0)),
        "physical_cores": max(1, cores // threads) if threads else None,
        "threads_per_core": threads,
        "numa_nodes": _numa_nodes(cores),
        "caches": _caches(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "model": model.group(1) if model else platform.machine(),
        "kernel": platform.release(),
        "quota_cores": allowed.cores if allowed is not None else None,
    }


def _siblings() -> int | None:
    text = _read("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")
    return len(_cpu_list(text)) if text else None


def _numa_nodes(cores: int) -> list[list[int]]:
    folders = sorted(
        Path("/sys/devices/system/node").glob("node[0-9]*"), key=lambda path: int(path.name[4:])
    )
    nodes = [_cpu_list(_read(str(folder / "cpulist"))) for folder in folders]
    return [node for node in nodes if node] or [list(range(cores))]


def _caches() -> list[dict[str, Any]]:
    caches = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        size = _read(str(folder / "size"))
        if size:
            caches.append(
                {
                    "level": int(_read(str(folder / "level")) or 0),
                    "kind": _read(str(folder / "type")).lower(),
                    "size_bytes": _bytes(size),
                    "shared_by": max(1, len(_cpu_list(_read(str(folder / "shared_cpu_list"))))),
                }
            )
    return caches


def _bytes(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def _cpu_list(text: str) -> list[int]:
    cpus: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first:
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def _read(path: str) -> str:
    # Containers and virtual machines hide some of these files; an absent figure is no error.
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    return ""


if __name__ == "__main__":
    json.dump(environment(), sys.stdout)
