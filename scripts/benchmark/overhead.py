"""What the engine costs beside what it starts.

    python scripts/benchmark/overhead.py                  images as the tests build them
    python scripts/benchmark/overhead.py --docker cyto-tasks:latest --sif tasks.sif

Every row is a whole run, from a fresh output folder to the last result, several times over; beside
it stands, timed in turn with it, what nobody can do without: a loop of raw ``docker run`` or
``apptainer exec``, or NumPy's own writing and mapping of the same array.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

_PRODUCE = "import numpy as np; np.save({path!r}, np.ones(({frames}, 1000, 1000), np.float32))"
_CONSUME = "import numpy as np; print(np.load({path!r}, mmap_mode='r').sum(dtype='float64'))"


def main() -> None:
    args = _arguments()
    if args.docker is None or args.sif is None:
        args.docker, args.sif = _test_images(args)
    environments: dict[str, dict[str, object]] = {"bare metal": {"type": "baremetal"}}
    if args.docker:
        environments["docker"] = {"type": "container", "runner": "docker", "image": args.docker}
    if args.sif:
        environments["apptainer"] = {"type": "container", "runner": "apptainer", "image": args.sif}
    print(f"{os.cpu_count()} cpus, Python {sys.version.split()[0]}, {args.runs} runs of each\n")
    print(f"{'row':<52}{'min':>8}{'median':>8}{'max':>8}   beside it (median)      ratio")
    with tempfile.TemporaryDirectory(prefix="cyto-bench-", dir=args.folder) as folder:
        for name, entry in environments.items():
            raw = _raw(name, entry)
            _row(
                f"{args.nodes} independent no-op nodes, {name}, s",
                lambda entry=entry: _noops(Path(folder), entry, args.nodes, chain=False),
                f"{args.nodes} × raw start",
                lambda raw=raw: [_timed(raw) for _ in range(args.nodes)],
                args.runs,
                combine=sum,
            )
            _row(
                f"{args.nodes} independent no-op nodes, {name}, s",
                lambda entry=entry: _noops(Path(folder), entry, args.nodes, chain=False),
                "ONE raw start with NumPy",
                lambda raw=raw: [_timed([*raw[:-1], "import numpy"])],
                args.runs,
                combine=sum,
            )
        _row(
            "chain of 100 no-op nodes, bare metal, ms per node",
            lambda: _noops(Path(folder), environments["bare metal"], 100, chain=True) * 10,
            "",
            None,
            args.runs,
        )
        for name, entry in environments.items():
            _row(
                f"{args.megabytes} MB array, bare metal to {name}, s",
                lambda entry=entry: _array(Path(folder), entry, args.megabytes),
                "np.save, raw start, mapped np.load",
                lambda name=name, entry=entry: [_floor(folder, name, entry, args.megabytes)],
                args.runs,
                combine=sum,
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docker", metavar="IMAGE", help="'' leaves Docker out")
    parser.add_argument("--sif", metavar="FILE", help="'' leaves Apptainer out")
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--folder", help="where to work; a disk, for the array's rows")
    return parser.parse_args()


def _test_images(args: argparse.Namespace) -> tuple[str, str]:
    """Take the images that the tests use, where their services are."""
    wanted = []
    if args.docker is None and shutil.which("docker"):
        wanted.append("tasks")
    if args.sif is None and (shutil.which("apptainer") or shutil.which("singularity")):
        wanted.append("tasks-sif")
    if not wanted:
        return args.docker or "", args.sif or ""
    done = subprocess.run(
        [str(ROOT / "scripts" / "test_images.sh"), *wanted],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return args.docker or found.get("tasks", ""), args.sif or found.get("tasks-sif", "")


def _raw(name: str, entry: dict[str, object]) -> list[str]:
    """The shortest command that starts Python there."""
    if name == "docker":
        user = ["--user", f"{os.getuid()}:{os.getgid()}"]
        start = ["docker", "run", "--rm", *user, "--network", "none", "--entrypoint", "python3"]
        return [*start, str(entry["image"]), "-c", "pass"]
    if name == "apptainer":
        privileges = ["--no-privs"] if os.geteuid() == 0 else []
        return ["apptainer", "exec", *privileges, str(entry["image"]), "python3", "-c", "pass"]
    return [sys.executable, "-c", "pass"]


def _timed(argv: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _noops(folder: Path, entry: dict[str, object], count: int, *, chain: bool) -> float:
    tasks = {
        f"n{i}": {
            "module": "bench_tasks.Noop",
            "params": {"number": i},
            "dependencies": [f"n{i - 1}"] if chain and i else [],
        }
        for i in range(count)
    }
    return _run(folder, tasks, {"default": entry})


def _array(folder: Path, entry: dict[str, object], megabytes: int) -> float:
    tasks = {
        "produce": {"module": "bench_tasks.Produce", "params": {"megabytes": megabytes}},
        "consume": {"module": "bench_tasks.Consume", "dependencies": ["produce"]},
    }
    return _run(folder, tasks, {"consume": entry})


def _run(folder: Path, tasks: dict[str, object], profile: dict[str, object]) -> float:
    import yaml

    from cyto.engine.checks import check_plan
    from cyto.engine.manager import TaskManager
    from cyto.engine.planning import make_plan

    work = Path(tempfile.mkdtemp(dir=folder))
    pipeline = work / "pipeline.bench.yaml"
    pipeline.write_text(yaml.safe_dump({"tasks": tasks}))
    resources = work / "pipeline-resources.bench.yaml"
    resources.write_text(yaml.safe_dump({"execution_configs": {"bench": profile}}))
    plan = make_plan(pipeline, profile="bench")
    check_plan(plan)
    started = time.perf_counter()
    report = TaskManager(plan).run()
    elapsed = time.perf_counter() - started
    if report.exit_code:
        raise SystemExit(f"the benchmark's own run failed: {report.nodes}")
    shutil.rmtree(work)
    return elapsed


def _floor(folder: str, name: str, entry: dict[str, object], megabytes: int) -> float:
    """Write the array with one process, map and sum it with another in the environment."""
    path = Path(folder) / "floor.npy"
    produce = _PRODUCE.format(path=str(path), frames=megabytes // 4)
    elapsed = _timed([sys.executable, "-c", produce])
    consume = _raw(name, entry)
    if name == "docker":
        at = consume.index("--rm")
        consume[at:at] = ["--mount", f"type=bind,source={folder},target={folder},readonly"]
    elif name == "apptainer":
        consume[2:2] = ["--bind", folder]
    elapsed += _timed([*consume[:-1], _CONSUME.format(path=str(path))])
    path.unlink()
    return elapsed


def _row(
    title: str,
    measure: Callable[[], float],
    beside: str,
    floor: Callable[[], list[float]] | None,
    runs: int,
    combine: Callable[[list[float]], float] = sum,
) -> None:
    measure()  # once for the caches of the disk and of Python
    ours, theirs = [], []
    for _ in range(runs):  # in turn, so that the machine's moods hit both
        ours.append(measure())
        if floor is not None:
            theirs.append(combine(floor()))
    numbers = f"{min(ours):>8.3f}{statistics.median(ours):>8.3f}{max(ours):>8.3f}"
    if not theirs:
        print(f"{title:<52}{numbers}", flush=True)
        return
    base = statistics.median(theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"{title:<52}{numbers}   {beside} {base:.3f}   {ratio:.2f}×", flush=True)


if __name__ == "__main__":
    main()
