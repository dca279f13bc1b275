"""Rows about many nodes that do nothing: what the engine itself costs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import bench_peers
from bench_engine import (
    HERE,
    ROOT,
    cyto,
    fresh,
    noop_tasks,
    planned,
    run,
    run_fresh,
    timed,
    write_pipeline,
)
from bench_raw import BARE, Place
from bench_rows import Aim, CannotRunError, Entry, Row
from bench_setup import Setup


def docker_nodes(setup: Setup, folder: Path) -> Row:
    """20 no-op nodes in one Docker image."""
    place = setup.docker_place()
    aim = Aim(limit=1.3, beside=True, text="≤ 1.3 × ONE raw start")
    return _container_nodes(setup, folder, place, aim, f"docker={place.image}")


def apptainer_nodes(setup: Setup, folder: Path) -> Row:
    """20 no-op nodes in one SIF."""
    place = setup.apptainer_place()
    aim = Aim(limit=1.3, beside=True, text="≤ 1.3 × ONE raw start")
    return _container_nodes(setup, folder, place, aim, f"sif={place.image}")


def bare_nodes(setup: Setup, folder: Path) -> Row:
    """20 no-op nodes on this machine."""
    return _container_nodes(setup, folder, BARE, None, "")


def _container_nodes(setup: Setup, folder: Path, place: Place, aim: Aim | None, image: str) -> Row:
    count, entry = setup.nodes, dict(place.entry)
    names = [name for name in setup.peers if not (image and name in {bench_peers.POOL, "dask"})]
    peers, missing = bench_peers.entries(
        names, "independent", count, *filter(None, [image]), each=False
    )
    return Row(
        title=f"{count} no-op nodes, {place.name}",
        unit="s",
        ours=Entry(
            name="cyto",
            run=lambda: run_fresh(folder, noop_tasks(count, chain=False), {"default": entry}),
        ),
        beside=[
            Entry(name="ONE raw start with NumPy", run=lambda: timed(place.start("import numpy"))),
            Entry(
                name=f"{count} raw starts",
                run=lambda: sum(timed(place.start("pass")) for _ in range(count)),
            ),
            *peers,
        ],
        aim=aim,
        missing=missing,
    )


def chain(setup: Setup, folder: Path) -> Row:
    """100 no-op nodes, one after the other."""
    aim = Aim(limit=2, text="≤ 2 ms")
    return _bare(setup, folder, "chain", setup.chain, setup.chain, aim)


def independent(setup: Setup, folder: Path) -> Row:
    """1,000 no-op nodes of which none needs another."""
    aim = Aim(limit=1.5, text="≤ 1.5 ms")
    return _bare(setup, folder, "independent", setup.many, setup.slow, aim)


def _bare(setup: Setup, folder: Path, shape: str, count: int, slow: int, aim: Aim) -> Row:
    tasks = noop_tasks(count, chain=shape == "chain")
    peers, missing = [], {}
    for name in setup.peers:
        number = count if name in {bench_peers.POOL, "dask"} else slow
        found, lacking = bench_peers.entries([name], shape, number, each=True)
        peers += found
        missing |= lacking
    profile = {"default": {"type": "baremetal"}}
    words = f"chain of {count:,}" if shape == "chain" else f"{count:,} independent"

    def whole() -> float:
        with fresh(folder) as work:
            return _command(write_pipeline(work, tasks, profile)) * 1000 / count

    return Row(
        title=f"{words} no-op nodes, bare metal, per node",
        unit="ms",
        ours=Entry(name="cyto", run=lambda: run_fresh(folder, tasks, profile) * 1000 / count),
        beside=[Entry(name="the whole command cyto run", run=whole), *peers],
        aim=aim,
        missing=missing,
    )


def _command(pipeline: Path) -> float:
    """Time the program from its start to its end."""
    path = os.pathsep.join([str(ROOT), str(HERE)])
    argv = cyto("run", pipeline, "--profile", "bench")
    return timed(argv, env=_variables(path))


def _variables(path: str) -> dict[str, str]:
    """Let Python keep what it compiled, as it does where a package is installed."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path}


def repeated(setup: Setup, folder: Path) -> Row:
    """A finished run of 1,000 nodes, run again."""
    count = setup.many
    profile = {"default": {"type": "baremetal"}}
    pipeline = write_pipeline(folder, noop_tasks(count, chain=False), profile)
    run(planned(pipeline))

    def inside(*, planning: bool) -> float:
        started = time.perf_counter()
        plan = planned(pipeline)
        elapsed = time.perf_counter() - started
        took, report = run(plan)
        again = [node.node for node in report.nodes.values() if node.outcome.value != "cached"]
        if again:
            raise CannotRunError(f"{len(again)} nodes were run again, such as {again[0]}")
        return took + elapsed * planning

    return Row(
        title=f"finished run of {count:,} nodes repeated, whole command",
        unit="s",
        ours=Entry(name="cyto run", run=lambda: _command(pipeline)),
        beside=[
            Entry(name="in a process that runs, planned anew", run=lambda: inside(planning=True)),
            Entry(name="the same without planning", run=lambda: inside(planning=False)),
            Entry(
                name="cyto --version",
                run=lambda: timed(cyto("--version"), env=_variables(str(ROOT))),
            ),
        ],
        aim=Aim(limit=1, text="≤ 1 s"),
    )
