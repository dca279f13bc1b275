"""What a benchmark's numbers belong to: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cyto._version import VERSION
from cyto.runners.machine import this_machine

ROOT = Path(__file__).resolve().parent.parent.parent
GIT = ("git", "-C", str(ROOT))
LIBRARIES = (
    "numpy", "scipy", "pandas", "pyarrow", "networkx", "scikit-image", "opencv-python-headless",
    "numba", "lifelines", "tifffile", "xxhash", "pydantic", "torch", "cellpose", "matplotlib",
)  # fmt: skip


def provenance() -> dict[str, Any]:
    """Give the machine, the versions and the commit, as JSON values."""
    machine = this_machine()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "cyto": VERSION,
        **commit(),
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu_model(),
        "cpus": machine.cpus,
        "cpus_of_machine": os.cpu_count(),
        "memory_gb": round(machine.memory_bytes / 1e9, 1),
        "gpus": list(machine.gpu_ids),
        "load": round(os.getloadavg()[0], 2),
        "inside": os.environ.get("APPTAINER_CONTAINER") or os.environ.get("SINGULARITY_CONTAINER"),
    }


def commit() -> dict[str, Any]:
    """Give the checkout's commit, and whether files differ from it; ``None`` outside of git."""
    head, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    return {"commit": head or _head(), "dirty": None if changed is None else bool(changed)}


def _head() -> str | None:
    """Read the commit where there is no program git, as in many images."""
    folder = ROOT / ".git"
    try:
        if folder.is_file():  # a worktree
            folder = Path(folder.read_text().partition("gitdir:")[2].strip())
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        common = folder / "commondir"
        if common.is_file():
            folder = folder / common.read_text().strip()
        return _of_reference(folder, head.partition(" ")[2])
    except OSError:
        return None


def _of_reference(folder: Path, name: str) -> str | None:
    """Read a branch's commit: from a file of its own, or from the list of packed ones."""
    if (folder / name).is_file():
        return (folder / name).read_text().strip()
    for line in (folder / "packed-refs").read_text().splitlines():
        if line.endswith(f" {name}"):
            return line.partition(" ")[0]
    return None


def cpu_model() -> str:
    """Give the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*args: str) -> str | None:
    try:
        done = subprocess.run([*GIT, *args], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
