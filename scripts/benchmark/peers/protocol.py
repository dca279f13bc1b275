"""What every peer's script has in common: its arguments, and the one line that it answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wish:
    """What to time.

    Parameters
    ----------
    shape
        ``chain``: each node needs the one before; ``independent``: none needs any.
    count
        How many nodes; each gives back what it got.
    folder
        An empty folder to work in.
    docker, sif
        The image in which each node starts Python; empty for this machine itself.
    """

    shape: str
    count: int
    folder: Path
    docker: str = ""
    sif: str = ""


class UnsupportedError(Exception):
    """The peer cannot do what was asked for."""


def answer(time_it: Callable[[Wish], float]) -> None:
    """Read ``SHAPE COUNT [docker=IMAGE | sif=FILE]``, time it, and print the answer.

    *time_it* gives the seconds from the first node's submission to the last result; what stands
    ready for any number of runs (imports, a cluster's processes) is not in them, but for programs
    that are a command only the whole command is.
    """
    shape, count, *image = sys.argv[1:]
    where = dict(part.split("=", 1) for part in image)
    out = os.dup(1)
    os.dup2(2, 1)  # what the peer prints is no answer
    with tempfile.TemporaryDirectory(prefix="cyto-peer-") as folder:
        wish = Wish(shape, int(count), Path(folder), **where)
        try:
            said = {"seconds": time_it(wish)}
        except UnsupportedError as error:
            said = {"error": str(error)}
    os.write(out, (json.dumps(said) + "\n").encode())


def time_command(argv: list[str], folder: Path) -> float:
    """Run a command of this environment; give its seconds."""
    program = Path(sys.executable).parent / argv[0]
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])
    started = time.perf_counter()
    done = subprocess.run(
        [str(program), *argv[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path, "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    elapsed = time.perf_counter() - started
    if done.returncode:
        raise UnsupportedError(f"{argv[0]} exited with {done.returncode}: {_last(done.stdout)}")
    return elapsed


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-3:])


def check(found: object, expected: object) -> None:
    """Make sure that the last node really ran."""
    if found != expected:
        raise UnsupportedError(f"gave {found!r} where {expected!r} is right")


def cpus() -> int:
    """Give the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def need(program: str) -> None:
    """Make sure that a program is there."""
    if shutil.which(program) is None:
        raise UnsupportedError(f"there is no program {program!r}")
