"""Rows about data: through a container's boundary, and past the driver."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench_engine import HERE, ROOT, fresh, run_fresh, write_pipeline
from bench_raw import BARE, Place, array_floor
from bench_rows import Aim, CannotRunError, Entry, Row
from bench_setup import Setup


def docker_array(setup: Setup, folder: Path) -> Row:
    """500 MB, made on this machine, read in a Docker container."""
    aim = Aim(limit=1.15, beside=True, text="≤ 1.15 × the np.save floor")
    return _array(setup, folder, setup.docker_place(), aim)


def apptainer_array(setup: Setup, folder: Path) -> Row:
    """500 MB, made on this machine, read in Apptainer."""
    return _array(setup, folder, setup.apptainer_place(), None)


def bare_array(setup: Setup, folder: Path) -> Row:
    """500 MB, made in one process and read in another."""
    return _array(setup, folder, BARE, None)


def _array(setup: Setup, folder: Path, place: Place, aim: Aim | None) -> Row:
    size = setup.megabytes
    tasks = {
        "produce": {"module": "bench_tasks.Produce", "params": {"megabytes": size}},
        "consume": {"module": "bench_tasks.Consume", "dependencies": ["produce"]},
    }
    profile = {"consume": dict(place.entry)}
    return Row(
        title=f"{size} MB array, bare metal to {place.name}",
        unit="s",
        ours=Entry(name="cyto", run=lambda: run_fresh(folder, tasks, profile)),
        beside=[
            Entry(
                name="np.save, raw start, mapped np.load",
                run=lambda: array_floor(folder, place, size),
            )
        ],
        aim=aim,
    )


_DRIVER = """
import re, sys
from cyto.cli.main import main
try:
    main(["run", sys.argv[1], "--profile", "bench"])
finally:
    text = open("/proc/self/status").read()
    open(sys.argv[2], "w").write(re.search(r"VmHWM:\\s*(\\d+) kB", text)[1])
"""


def driver_memory(setup: Setup, folder: Path) -> Row:
    """A compressed movie that the driver decodes, a task copies, and the driver exports."""
    if not Path("/proc/self/status").exists():
        raise CannotRunError("needs /proc, which Linux has")
    large, small = folder / "large.tif", folder / "small.tif"
    _compressed(large, setup.movie_megabytes)
    _compressed(small, 4)
    return Row(
        title=f"driver's peak memory while a {setup.movie_megabytes:,} MB movie passes",
        unit="MB",
        ours=Entry(name="cyto run", run=lambda: _peak_mb(folder, large)),
        beside=[Entry(name="the same with 4 MB", run=lambda: _peak_mb(folder, small))],
        aim=Aim(limit=200, text="≤ 200 MB"),
    )


def _compressed(path: Path, megabytes: int) -> None:
    """Write 2 MB frames that compress well: to decode them is work, to keep them is not."""
    import tifffile

    def frames() -> Iterator[np.ndarray[Any, Any]]:
        for number in range(count):
            yield np.full((1000, 1000), number, np.uint16)

    count = max(1, megabytes // 2)
    tifffile.imwrite(
        path,
        frames(),
        shape=(count, 1000, 1000),
        dtype=np.uint16,
        bigtiff=True,
        compression="zlib",
        photometric="minisblack",
        metadata={"axes": "TYX"},
    )


def _peak_mb(folder: Path, movie: Path) -> float:
    """Give the greatest resident memory of the driver's process alone, as the kernel counts it."""
    tasks = {"copy": {"module": "bench_tasks.Same", "inputs": {"image": "movie"}, "output": True}}
    with fresh(folder) as work:
        pipeline = write_pipeline(work, tasks, {}, {"movie": str(movie)})
        done = subprocess.run(
            [sys.executable, "-c", _DRIVER, str(pipeline), str(work / "peak")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise CannotRunError(f"cyto run exited with {done.returncode}: {last}")
        return int((work / "peak").read_text()) * 1024 / 1e6
