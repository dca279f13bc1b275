"""What this machine lets this process use: cgroup limits and affinity respected."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cyto.runners.process import run


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What tasks on this machine share.

    Parameters
    ----------
    cpus
        Cores that this process may use.
    memory_bytes
        Physical memory, or the cgroup's limit where it is less.
    gpu_ids
        Identifiers of the GPUs, as ``CUDA_VISIBLE_DEVICES`` takes them.
    """

    cpus: int
    memory_bytes: int
    gpu_ids: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """Look at this machine once."""
    import psutil

    memory = psutil.virtual_memory().total
    limit = _memory_limit()
    return Machine(
        cpus=max(1, min(len(os.sched_getaffinity(0)), _cpu_quota() or 1 << 20)),
        memory_bytes=min(memory, limit) if limit else memory,
        gpu_ids=_gpus(),
    )


def _gpus() -> tuple[str, ...]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(part for part in visible.split(",") if part.strip() and part.strip() != "-1")
    listed = run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], timeout_s=20)
    return tuple(line.strip() for line in listed.out.splitlines()) if listed.ok else ()


def _own_cgroup(controller: str) -> Path | None:
    """Find this process's cgroup folder, in either version of cgroups."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, names, path = line.split(":", 2)
        root = Path("/sys/fs/cgroup") / (controller if names else "")
        if controller in names.split(",") or not names:
            inside = root / path.lstrip("/")
            return inside if inside.is_dir() else root
    return None


def _memory_limit() -> int | None:
    folder = _own_cgroup("memory")
    for name in ("memory.max", "memory.limit_in_bytes"):
        value = _number(folder / name) if folder else None
        if value is not None and value < 1 << 60:
            return value
    return None


def _cpu_quota() -> int | None:
    folder = _own_cgroup("cpu")
    if folder is None:
        return None
    try:
        text = (folder / "cpu.max").read_text().split()
        quota, period = (-1, 1) if text[0] == "max" else (int(text[0]), int(text[1]))
    except (OSError, ValueError, IndexError):
        quota = _number(folder / "cpu.cfs_quota_us") or -1
        period = _number(folder / "cpu.cfs_period_us") or 1
    return max(1, quota // period) if quota > 0 else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def oom_kills() -> int:
    """Count the processes that the kernel killed in this process's cgroup for want of memory."""
    folder = _own_cgroup("memory")
    for name in ("memory.events", "memory.oom_control"):
        try:
            words = (folder / name).read_text().split() if folder else []
        except OSError:
            continue
        if "oom_kill" in words:
            return int(words[words.index("oom_kill") + 1])
    return 0
