"""Rows about large pipelines: ten times as many must cost ten times as much, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench_engine import HERE, ROOT, noop_tasks, run_fresh, write_pipeline
from bench_rows import Aim, CannotRunError, Entry, Row
from bench_setup import Setup, small_movie

BARE: dict[str, Any] = {"type": "baremetal"}
_DRIVER = """
import re, sys, time
from bench_engine import planned, run
started = time.perf_counter()
plan = planned(sys.argv[1])
elapsed = time.perf_counter() - started
if sys.argv[2] != "plan":
    run(plan)
# not getrusage, which counts what the process had that this one was forked from
peak = re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]
print(elapsed if sys.argv[2] == "plan" else peak)
"""


def many_nodes(setup: Setup, folder: Path) -> Row:
    """10,000 no-op nodes, planned and run, and a tenth of them."""
    few, many = max(1, setup.large // 10), setup.large

    def per_node(count: int) -> float:
        tasks = noop_tasks(count, chain=False)
        return run_fresh(folder, tasks, {"default": BARE}) * 1000 / count

    def planning(count: int) -> float:
        return _driver(_pipeline(folder, count), "plan") * 1000 / count

    return Row(
        title=f"{many:,} independent no-op nodes, bare metal, per node",
        unit="ms",
        ours=Entry(name="cyto", run=lambda: per_node(many)),
        beside=[
            Entry(name=f"each of {few:,}", run=lambda: per_node(few)),
            Entry(name=f"planning {many:,}, per node", run=lambda: planning(many)),
            Entry(name=f"planning {few:,}, per node", run=lambda: planning(few)),
        ],
        aim=Aim(limit=1.3, beside=True, text="≤ 1.3 × each of a tenth"),
    )


def many_chunks(setup: Setup, folder: Path) -> Row:
    """A framewise no-op task in 100,000 chunks, and in a tenth of them."""
    few, many = max(1, setup.chunks // 10), setup.chunks
    task = {"module": "bench_tasks.Same", "inputs": {"image": "movie"}}
    entry = {**BARE, "resources": {"batch_size": 1}}

    def per_chunk(count: int) -> float:
        movie = folder / f"{count}.tif"
        if not movie.exists():
            small_movie(movie, count)
        channels = {"movie": str(movie)}
        return run_fresh(folder, {"same": task}, {"same": entry}, channels=channels) * 1000 / count

    return Row(
        title=f"framewise no-op task in {many:,} chunks, per chunk",
        unit="ms",
        ours=Entry(name="cyto", run=lambda: per_chunk(many)),
        beside=[Entry(name=f"each of {few:,}", run=lambda: per_chunk(few))],
        aim=Aim(limit=1.3, beside=True, text="≤ 1.3 × each of a tenth"),
    )


def many_nodes_memory(setup: Setup, folder: Path) -> Row:
    """The driver's memory when it runs 10,000 nodes, and a tenth of them."""
    if not Path("/proc/self/status").exists():
        raise CannotRunError("needs /proc, which Linux has")
    few, many = max(1, setup.large // 10), setup.large

    def memory(count: int) -> float:
        return _driver(_pipeline(folder, count), "run") * 1024 / 1e6

    return Row(
        title=f"driver's peak memory while {many:,} nodes run",
        unit="MB",
        ours=Entry(name="cyto", run=lambda: memory(many)),
        beside=[Entry(name=f"{few:,} nodes", run=lambda: memory(few))],
        aim=Aim(limit=200, text="≤ 200 MB"),
    )


def _pipeline(folder: Path, count: int) -> Path:
    work = folder / f"nodes-{count}-{os.urandom(4).hex()}"
    work.mkdir()
    return write_pipeline(work, noop_tasks(count, chain=False), {"default": BARE})


def _driver(pipeline: Path, what: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, str(pipeline), what],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CannotRunError(f"a driver exited with {done.returncode}: {last}")
    return float(done.stdout)
