"""Other engines doing the same, each in its own environment: where they are, and how to time them.

Each has a script ``peers/NAME_peer.py``, run by its own Python as ``SHAPE COUNT [docker=IMAGE]``,
which prints one JSON object: ``{"seconds": …}``, or ``{"error": …}`` where the peer cannot do it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench_rows import CannotRunError, Entry

from cyto.core.layout import cache_folder

HERE = Path(__file__).resolve().parent
NAMES = ("dask", "pydra", "redun", "snakemake", "cwltool")
LIMIT_S = 300.0
"""A peer that takes longer is ended and left out."""
POOL = "pool"
"""Python's own pool of processes: it needs no environment, and is not one of the peers."""


def folder_of(name: str) -> Path:
    """Name the environment of a peer."""
    return cache_folder() / "bench-peers" / name


def python_of(name: str) -> Path | None:
    """Give the peer's Python; ``None`` where it is not installed, or in another version."""
    if name == POOL:
        return Path(sys.executable)
    mark = folder_of(name) / "installed.txt"
    wanted = (HERE / "peers" / f"{name}.txt").read_text(encoding="utf-8")
    if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
        return None
    return folder_of(name) / "bin" / "python"


def time_peer(name: str, shape: str, count: int, *image: str) -> float:
    """Let a peer run *count* no-op nodes; give its seconds.

    Parameters
    ----------
    shape
        ``chain`` or ``independent``.
    image
        ``docker=IMAGE`` or ``sif=FILE``; nothing for this machine.

    Raises
    ------
    CannotRunError
        It is not installed, cannot do it, failed or took too long.
    """
    python = python_of(name)
    if python is None:
        raise CannotRunError("not installed; make bench-peers")
    script = HERE / "peers" / f"{name}_peer.py"
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    child = subprocess.Popen(
        [str(python), str(script), shape, str(count), *image],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        out, err = child.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise CannotRunError(f"took longer than {LIMIT_S:g} s") from error
    finally:
        _end(child)
    return _answer(child.returncode, out, err)


def _end(child: subprocess.Popen[str]) -> None:
    """End all that a peer started, whatever it did."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.wait()


def _answer(code: int, out: str, err: str) -> float:
    if code or not out.strip():
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        raise CannotRunError(f"exited with {code}: {last}")
    said = json.loads(out.splitlines()[-1])
    if "error" in said:
        raise CannotRunError(said["error"])
    return float(said["seconds"])


def entries(
    names: Iterable[str], shape: str, count: int, *image: str, each: bool
) -> tuple[list[Entry], dict[str, str]]:
    """Give the peers that are installed as entries of a row, and why others are not.

    Parameters
    ----------
    each
        Give milliseconds per node, not seconds for all.
    """
    scale = 1000 / count if each else 1
    found = [
        Entry(
            name=f"{'process pool' if name == POOL else name}, {count} nodes",
            run=lambda name=name: time_peer(name, shape, count, *image) * scale,
        )
        for name in names
        if python_of(name)
    ]
    missing = {name: "not installed; make bench-peers" for name in names if python_of(name) is None}
    return found, missing
