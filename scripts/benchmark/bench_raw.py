"""The least that a machine needs to start Python somewhere: the floors of the rows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_engine import ROOT, timed
from bench_rows import CannotRunError

from cyto.runners.environment import thread_variables


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where nodes run: a profile's entry, and the shortest command that starts Python there."""

    name: str
    entry: Mapping[str, Any]
    image: str = ""

    def start(self, code: str, folder: Path | None = None, threads: int = 0) -> list[str]:
        """Give the command that runs *code* there, with *folder* seen read-only at its own path."""
        if self.name == "docker":
            return self._docker(code, folder, threads)
        if self.name == "apptainer":
            return self._apptainer(code, folder)
        return [sys.executable, "-c", code]

    def _docker(self, code: str, folder: Path | None, threads: int) -> list[str]:
        user = ["--user", f"{os.getuid()}:{os.getgid()}"]
        bind = ["--mount", f"type=bind,source={folder},target={folder},readonly"] if folder else []
        variables = thread_variables(threads or None)
        limit = [part for name in variables for part in ("--env", f"{name}={threads}")]
        return [
            *("docker", "run", "--rm", *user, "--network", "none", *bind, *limit),
            *("--entrypoint", "python3", self.image, "-c", code),
        ]

    def _apptainer(self, code: str, folder: Path | None) -> list[str]:
        privileges = ["--no-privs"] if os.geteuid() == 0 else []
        bind = ["--bind", str(folder)] if folder else []
        return ["apptainer", "exec", *privileges, *bind, self.image, "python3", "-c", code]


BARE = Place(name="bare metal", entry={"type": "baremetal"})


def docker(image: str) -> Place:
    """Give the place that is a Docker image."""
    entry = {"type": "container", "runner": "docker", "image": image}
    return Place(name="docker", entry=entry, image=image)


def apptainer(sif: str) -> Place:
    """Give the place that is a SIF."""
    entry = {"type": "container", "runner": "apptainer", "image": sif}
    return Place(name="apptainer", entry=entry, image=sif)


def test_image(name: str) -> str:
    """Give an image as the tests build it; it is built where it is missing.

    Raises
    ------
    CannotRunError
        There is no such service here, or the image cannot be built.
    """
    program = "apptainer" if name.endswith("-sif") else "docker"
    if shutil.which(program) is None:
        raise CannotRunError(f"there is no program {program!r}")
    script = ROOT / "scripts" / "test_images.sh"
    done = subprocess.run([script, name], stdout=subprocess.PIPE, check=False, text=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if name not in found:
        raise CannotRunError(f"scripts/test_images.sh {name} gave no image (its words are above)")
    return found[name]


_PRODUCE = "import numpy as np; np.save({path!r}, np.ones(({frames}, 1000, 1000), np.float32))"
_CONSUME = "import numpy as np; print(np.load({path!r}, mmap_mode='r').sum(dtype='float64'))"


def array_floor(folder: Path, place: Place, megabytes: int) -> float:
    """Write the array with one process, map and sum it with another in the place."""
    path = folder / "floor.npy"
    produce = _PRODUCE.format(path=str(path), frames=megabytes // 4)
    try:
        elapsed = timed([sys.executable, "-c", produce])
        return elapsed + timed(place.start(_CONSUME.format(path=str(path)), folder))
    finally:
        path.unlink(missing_ok=True)
