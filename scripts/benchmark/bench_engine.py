"""Runs of the engine from a fresh folder, so that rows say only what runs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from bench_rows import CannotRunError

from cyto.engine.checks import check_plan
from cyto.engine.manager import TaskManager
from cyto.engine.outcomes import RunReport
from cyto.engine.plan import Plan
from cyto.engine.planning import make_plan
from cyto.engine.record import Listener
from cyto.errors import ConfigError, UnavailableError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
_LARGE = 1 << 20
CYTO = ("-c", "from cyto.cli.main import main; main()")
"""What a Python is given to be the program ``cyto`` of this checkout."""


def write_pipeline(
    folder: Path,
    tasks: Mapping[str, Any],
    profile: Mapping[str, Any],
    channels: Mapping[str, Any] | None = None,
) -> Path:
    """Write a pipeline and its resources, with one profile; give the pipeline's path."""
    text = {"channels": dict(channels)} if channels else {}
    pipeline = folder / "pipeline.bench.yaml"
    pipeline.write_text(yaml.safe_dump({**text, "tasks": dict(tasks)}, sort_keys=False))
    resources = folder / "pipeline-resources.bench.yaml"
    resources.write_text(yaml.safe_dump({"execution_configs": {"bench": dict(profile)}}))
    return pipeline


def planned(pipeline: Path, **options: Any) -> Plan:
    """Plan and check.

    Raises
    ------
    CannotRunError
        It cannot run here, in pyCyto's words.
    """
    try:
        plan = make_plan(pipeline, profile="bench", **options)
        check_plan(plan)
    except (ConfigError, UnavailableError) as error:
        raise CannotRunError(" ".join(str(error).split())) from error
    return plan


def run(plan: Plan, jobs: int | None = None, *listeners: Listener) -> tuple[float, RunReport]:
    """Run a plan to its last result; give the seconds and the report."""
    manager = TaskManager(plan, jobs=jobs, listeners=tuple(listeners))
    started = time.perf_counter()
    report = manager.run()
    elapsed = time.perf_counter() - started
    if report.exit_code:
        bad = [f"{n.node}: {n.message}" for n in report.nodes.values() if not n.outcome.ok]
        raise CannotRunError(f"its own run failed: {bad[0] if bad else 'stopped'}")
    return elapsed, report


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """Give a folder of which only large files are removed afterwards, the rest with the row.

    An ext4 without a journal looks at every inode that was freed in the last half minute before
    it makes a file: with thousands removed just before, each new one takes ten times as long, and
    the next run would be timed with that.
    """
    work = Path(tempfile.mkdtemp(dir=folder))
    try:
        yield work
    finally:
        for path in work.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size > _LARGE:
                path.unlink()


def run_fresh(
    folder: Path,
    tasks: Mapping[str, Any],
    profile: Mapping[str, Any],
    *,
    channels: Mapping[str, Any] | None = None,
    jobs: int | None = None,
) -> float:
    """Run a pipeline from nothing; give the seconds from planned to the last result."""
    with fresh(folder) as work:
        return run(planned(write_pipeline(work, tasks, profile, channels)), jobs)[0]


def timed(argv: list[str], **options: Any) -> float:
    """Run a command; give its seconds.

    Raises
    ------
    CannotRunError
        It is not there, or failed; with the last line that it wrote.
    """
    started = time.perf_counter()
    try:
        done = subprocess.run(
            argv, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
        )
    except FileNotFoundError as error:
        raise CannotRunError(f"there is no program {argv[0]!r}") from error
    elapsed = time.perf_counter() - started
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise CannotRunError(f"{argv[0]} exited with {done.returncode}: {words[-1]}")
    return elapsed


def cyto(*args: object) -> list[str]:
    """Give the command that is ``cyto`` of this checkout."""
    return [sys.executable, *CYTO, *map(str, args)]


def noop_tasks(count: int, *, chain: bool) -> dict[str, Any]:
    """Give no-op nodes, each another one; in a chain each waits for the one before."""
    return {
        f"n{i}": {
            "module": "bench_tasks.Noop",
            "params": {"number": i},
            "dependencies": [f"n{i - 1}"] if chain and i else [],
        }
        for i in range(count)
    }
