"""CPU quotas are found in both versions of control groups, the tightest of all that hold."""

from pathlib import Path

import pytest

from concurtrace.launch.cgroup import quota
from concurtrace.model.run import Throttling

STAT = "usage_usec 90\nnr_periods 40\nnr_throttled 10\nthrottled_usec 2500\nnr_bursts 0\n"
OLD_STAT = "nr_periods 40\nnr_throttled 10\nthrottled_time 2500000\n"


def group(folder: Path, **files: str) -> None:
    """Make a control group with some files; a name's ``_`` is a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own"
    path.write_text(text)
    return path


def test_a_quota_of_an_outer_group_counts_where_it_is_tighter(tmp_path: Path) -> None:
    mounts = tmp_path / "cgroup"
    group(mounts / "a/b", cpu_max="200000 100000\n", cpu_stat="nr_periods 1\n")
    group(mounts / "a", cpu_max="50000 100000\n", cpu_stat=STAT)
    group(mounts, cpu_stat="usage_usec 90\n")
    found = quota(mounts, own(tmp_path, "0::/a/b\n"))
    assert found is not None
    assert found.throttling() == Throttling(0.5, 40, 10, 2_500_000)


def test_version_1_counts_in_nanoseconds(tmp_path: Path) -> None:
    mounts = tmp_path / "cgroup"
    files = {"cpu_cfs_quota_us": "150000\n", "cpu_cfs_period_us": "100000\n", "cpu_stat": OLD_STAT}
    group(mounts / "cpu,cpuacct/job", **files)
    found = quota(mounts, own(tmp_path, "5:memory:/other\n4:cpu,cpuacct:/job\n0::/\n"))
    assert found is not None
    assert found.throttling() == Throttling(1.5, 40, 10, 2_500_000)


def test_inside_of_a_container_its_group_is_the_root_of_what_is_mounted(tmp_path: Path) -> None:
    mounts = tmp_path / "cgroup"
    group(mounts / "cpu", cpu_cfs_quota_us="50000\n", cpu_cfs_period_us="100000\n")
    found = quota(mounts, own(tmp_path, "4:cpu:/docker/5f0c\n"))
    assert found is not None
    assert found.cores == 0.5


@pytest.mark.parametrize("said", ["max 100000\n", "-1\n", "", "garbage"])
def test_no_quota_is_none(tmp_path: Path, said: str) -> None:
    mounts = tmp_path / "cgroup"
    group(mounts, cpu_max=said, cpu_stat=STAT)
    assert quota(mounts, own(tmp_path, "0::/\n")) is None
    assert quota(tmp_path / "nothing", tmp_path / "nowhere") is None
