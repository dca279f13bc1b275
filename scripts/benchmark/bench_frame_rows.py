"""Rows about frames: chunks on two cores, and the elements of a Slurm array."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench_engine import HERE, ROOT, run_fresh, timed
from bench_rows import Aim, CannotRunError, Entry, Row
from bench_setup import Setup, small_movie

from cyto.runners.machine import this_machine

CHUNKS = 16
SINFO = ("sinfo", "--noheader")
POLL_S = 1.0
"""What one look at Slurm's queue may add to an array's time."""


def framewise(setup: Setup, folder: Path) -> Row:
    """One node whose frames are computed in chunks, on two cores."""
    if this_machine().cpus < 2:
        raise CannotRunError("this machine has one core")
    movie = small_movie(folder / "movie.tif", setup.frames)
    task = {"module": "bench_tasks.Burn", "params": {"steps": setup.steps}}
    tasks = {"burn": {**task, "inputs": {"image": "movie"}}}
    batch = max(1, setup.frames // CHUNKS)
    profile = {"burn": {"type": "baremetal", "resources": {"batch_size": batch}}}

    def ours(jobs: int) -> float:
        return run_fresh(folder, tasks, profile, channels={"movie": str(movie)}, jobs=jobs)

    return Row(
        title=f"framewise CPU task, {setup.frames} frames in chunks of {batch}, on 2 cores",
        unit="s",
        ours=Entry(name="cyto run -j 2", run=lambda: ours(2)),
        beside=[
            Entry(name="cyto run -j 1", run=lambda: ours(1)),
            Entry(name="plain Python, one process", run=lambda: _plain(setup, 1)),
            Entry(name="plain Python, half in each of two", run=lambda: _plain(setup, 2)),
        ],
        aim=Aim(limit=1.85, faster=True, text="≥ 1.85 × as fast as -j 1"),
    )


def _plain(setup: Setup, processes: int) -> float:
    """Time the same frames in plain Python; it says how much faster two cores are here."""
    frames = setup.frames // processes
    code = f"from bench_tasks import burn\nfor _ in range({frames}): burn({setup.steps})"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    started = time.perf_counter()
    children = [
        subprocess.Popen([sys.executable, "-c", code], env=environ) for _ in range(processes)
    ]
    codes = [child.wait() for child in children]
    if any(codes):
        raise CannotRunError(f"plain Python exited with {max(codes)}")
    return time.perf_counter() - started


def slurm_array(setup: Setup, folder: Path) -> Row:
    """A framewise no-op task on 64 frames, each an element of one Slurm array."""
    _check_slurm()
    elements = setup.elements
    movie = small_movie(folder / "movie.tif", elements)
    tasks = {"same": {"module": "bench_tasks.Same", "inputs": {"image": "movie"}}}
    entry: dict[str, Any] = {"launcher": "slurm", "resources": {"batch_size": 1}}
    return Row(
        title=f"{elements}-element Slurm array of empty jobs, submit to last result",
        unit="s",
        ours=Entry(
            name="cyto",
            run=lambda: run_fresh(folder, tasks, {"same": entry}, channels={"movie": str(movie)}),
        ),
        beside=[
            Entry(
                name=f"sbatch --wait --array=0-{elements - 1} of true",
                run=lambda: _raw_array(folder, elements, "true"),
            ),
            Entry(
                name="the same of a Python that imports NumPy",
                run=lambda: _raw_array(
                    folder, elements, shlex.join([sys.executable, "-c", "import numpy"])
                ),
            ),
        ],
        aim=Aim(limit=1.2, beside=True, plus=POLL_S, text="≤ 1.2 × sbatch + one poll"),
    )


def _check_slurm() -> None:
    """Make sure that a cluster answers."""
    try:
        done = subprocess.run([*SINFO], capture_output=True, text=True, check=False, timeout=30)
    except FileNotFoundError as error:
        raise CannotRunError("there is no Slurm here (no program 'sinfo')") from error
    except subprocess.TimeoutExpired as error:
        raise CannotRunError("Slurm does not answer (sinfo took 30 s)") from error
    if done.returncode or not done.stdout.strip():
        raise CannotRunError(f"Slurm does not answer: {done.stderr.strip() or 'no partition'}")


def _raw_array(folder: Path, elements: int, command: str) -> float:
    options = ["--wait", f"--array=0-{elements - 1}", "--output=/dev/null", "--wrap", command]
    return timed(["sbatch", *options], cwd=folder)
