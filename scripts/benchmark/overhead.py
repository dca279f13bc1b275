"""What the engine costs beside what it starts.

    python scripts/benchmark/overhead.py                    every row, the tests' images
    python scripts/benchmark/overhead.py --list             which rows there are
    python scripts/benchmark/overhead.py --rows chain independent --json rows.json
    python scripts/benchmark/overhead.py --rows driver-memory --movie-megabytes 200 --runs 1
    python scripts/benchmark/overhead.py --docker cyto-tasks:latest --sif tasks.sif --peers dask

Every row is a whole run, from a fresh output folder to the last result, several times over. Beside
it stands, timed in turn with it, what nobody can do without (a raw start, NumPy's own writing and
mapping of the same array, the bare sbatch) or another engine at the same work, where
``make bench-peers`` has installed it. The first run of each is not counted. A row that cannot run
here says why, and the rest goes on.

At the end the rows stand in a table: minimum, median and maximum, the median of what stands beside
it and how many times longer ours took, the aim, and whether it is met.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from bench_cellpose_row import cellpose  # noqa: E402
from bench_data_rows import (  # noqa: E402
    apptainer_array,
    bare_array,
    docker_array,
    driver_memory,
)
from bench_frame_rows import framewise, slurm_array  # noqa: E402
from bench_machine import provenance  # noqa: E402
from bench_node_rows import (  # noqa: E402
    apptainer_nodes,
    bare_nodes,
    chain,
    docker_nodes,
    independent,
    repeated,
)
from bench_overhead_table import lines, table  # noqa: E402
from bench_peers import NAMES, POOL  # noqa: E402
from bench_rows import CannotRunError, Row, measure  # noqa: E402
from bench_scale_rows import many_chunks, many_nodes, many_nodes_memory  # noqa: E402
from bench_setup import Setup  # noqa: E402

ROWS: dict[str, Callable[[Setup, Path], Row]] = {
    "docker-nodes": docker_nodes,
    "apptainer-nodes": apptainer_nodes,
    "bare-nodes": bare_nodes,
    "chain": chain,
    "independent": independent,
    "docker-array": docker_array,
    "apptainer-array": apptainer_array,
    "bare-array": bare_array,
    "framewise": framewise,
    "repeated": repeated,
    "cellpose": cellpose,
    "slurm-array": slurm_array,
    "driver-memory": driver_memory,
    "many-nodes": many_nodes,
    "many-nodes-memory": many_nodes_memory,
    "many-chunks": many_chunks,
}
QUICK: dict[str, Any] = {
    "nodes": 3, "chain": 5, "many": 12, "slow": 3, "megabytes": 8, "movie_megabytes": 8,
    "frames": 4, "steps": 1000, "cellpose_frames": 2, "elements": 2, "large": 20, "chunks": 20,
}  # fmt: skip
"""Sizes that only show that a row still runs."""


def main() -> None:
    args = _arguments()
    if args.list:
        for name, row in ROWS.items():
            print(f"{name:<16} {(row.__doc__ or '').strip()}")
        return
    setup, runs = _setup(args), 1 if args.quick else args.runs
    facts = provenance()
    print(f"{facts['cpu']}, {facts['cpus']} cpus, Python {facts['python']}, {runs} runs, {_load()}")
    results: dict[str, Any] = {}
    for name in args.rows or ROWS:
        results[name] = _result(name, setup, runs, args)
        print("", *lines(name, results[name]), sep="\n", flush=True)
    print(f"\n{table(results)}\n\nat the end {_load()}")
    if args.json:
        data = {"provenance": facts, "runs": runs, "quick": args.quick, "rows": results}
        Path(args.json).write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _result(name: str, setup: Setup, runs: int, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="cyto-bench-", dir=args.folder) as folder:
        try:
            row = ROWS[name](setup, Path(folder))
            return measure(row, runs, time.monotonic, aims=not args.quick)
        except CannotRunError as error:
            return {"reason": str(error)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", metavar="NAME", choices=ROWS, help="only these rows")
    parser.add_argument("--list", action="store_true", help="print the rows' names and end")
    parser.add_argument("--runs", type=int, default=5, help="of each, after the first")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one run, no aims")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there")
    parser.add_argument("--folder", help="where to work: a disk; for Slurm, one that its nodes see")
    parser.add_argument("--docker", metavar="IMAGE", help="instead of the tests' image")
    parser.add_argument("--sif", metavar="FILE", help="instead of the tests' SIF")
    parser.add_argument("--cellpose", metavar="IMAGE", help="instead of the tests' CellPose image")
    parser.add_argument(
        "--peers", nargs="*", metavar="NAME", choices=(POOL, *NAMES), help="beside ours; all"
    )
    sizes = {f.name: f.default for f in fields(Setup) if f.type == "int"}
    for name, size in sizes.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, metavar="N", help=f"a size; {size}"
        )
    args = parser.parse_args()
    for name in ("runs", *sizes):
        if (value := getattr(args, name)) is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    return args


def _setup(args: argparse.Namespace) -> Setup:
    given = {f.name: getattr(args, f.name) for f in fields(Setup)}
    given = {name: value for name, value in given.items() if value is not None}
    if "peers" in given:
        given["peers"] = tuple(given["peers"])
    return Setup(**{**(QUICK if args.quick else {}), **given})


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
