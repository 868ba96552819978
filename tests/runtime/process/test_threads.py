"""Threads and memory that Slurm, the affinity mask and cgroups of both versions grant."""

from __future__ import annotations

from pathlib import Path

import pytest

from lithovae.runtime.process import cgroup
from lithovae.runtime.process.memory import memory_bounds
from lithovae.runtime.process.threads import Grant, granted_threads


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty tree of cgroups, and no Slurm."""
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(cgroup, "ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(cgroup, "OWN", tmp_path / "own")
    return tmp_path / "cgroup"


def put(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_threads_follow_slurm_then_the_affinity_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert granted_threads() == 3
    assert Grant.of_this_process().source == "SLURM_CPUS_PER_TASK"
    for nonsense in ("0", "", "many", "²"):
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", nonsense)
        assert granted_threads() >= 1
        assert Grant.of_this_process().source == "cores"


def test_threads_keep_to_a_containers_share(root: Path) -> None:
    cores = granted_threads()
    for quota, threads in (("max 100000", cores), ("50000 100000", 1), ("99900000 100000", cores), ("", cores)):
        put(root, cpu__max=quota)
        assert granted_threads() == threads
    assert Grant(None, 8, 1.5).threads == 2
    assert Grant(None, 8, 1.5).source == "CPU quota of the cgroup"


@pytest.mark.parametrize("at", ["", "job", "job/step"])
def test_a_quota_of_any_group_around_this_process_counts(root: Path, at: str) -> None:
    (root.parent / "own").write_text("0::/job/step\n")
    put(root / "job" / "step", cpu__max="max 100000", memory__max="max")
    assert (cgroup.cpu_quota(), cgroup.memory_limit()) == (None, None)
    put(root / at, cpu__max="150000 100000", memory__max="1000000\n")
    assert (cgroup.cpu_quota(), cgroup.memory_limit()) == (1.5, 1_000_000)
    put(root / "other", cpu__max="1000 100000", memory__max="10")
    assert (cgroup.cpu_quota(), cgroup.memory_limit()) == (1.5, 1_000_000)


def test_version_1_states_the_same_in_other_files(root: Path) -> None:
    (root.parent / "own").write_text("4:memory:/slurm/job_7\n2:cpu,cpuacct:/slurm/job_7\n1:name=systemd:/\n0::/\n")
    put(root / "cpu" / "slurm" / "job_7", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    put(root / "memory", memory__limit_in_bytes="9223372036854771712")
    assert (cgroup.cpu_quota(), cgroup.memory_limit()) == (None, None)
    put(root / "cpu,cpuacct" / "slurm", cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000")
    put(root / "memory" / "slurm" / "job_7", memory__limit_in_bytes="2147483648")
    assert (cgroup.cpu_quota(), cgroup.memory_limit()) == (2.0, 2 << 30)
    assert memory_bounds()["cgroup"] == 2 << 30


def test_in_a_container_the_mount_itself_has_the_limits(root: Path) -> None:
    (root.parent / "own").write_text("0::/docker/1f2e3d\n")  # as the host names it
    put(root, cpu__max="100000 100000", memory__max="4096")
    assert (cgroup.cpu_quota(), cgroup.memory_limit()) == (1.0, 4096)
