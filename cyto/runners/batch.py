"""The program of a job on a cluster: run one element's requests, one after the other.

``python -c … FOLDER ELEMENT``, as the batch script in FOLDER has it. It works beside the worker
that runs the tasks, on the compute node, and tells what happened in a file of its own: one line
when it begins, one for each request, one when it ends. What it cannot tell (it was killed, the
node failed), Slurm has to.

Starts without site packages: the standard library and a few modules of pyCyto are all it needs.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cyto.core.layout import BatchLayout, JobLayout
from cyto.core.request import TaskRequest, TaskResult
from cyto.errors import UnavailableError
from cyto.runners.batch_files import (
    WITHDRAWN,
    read_json,
    read_plan,
    read_requests,
    write_whole,
)
from cyto.runners.environment import Environment, WorkerSpec, memory_ending, owner_label
from cyto.runners.machine import oom_kills
from cyto.runners.process import Child, ForkedChild
from cyto.runners.worker import Worker


def main(argv: Sequence[str]) -> int:
    """Run one element; give the exit code: 0 whenever every request has its answer."""
    gc.enable()  # it was not while all this was loaded
    folder, element = argv
    layout, number = BatchLayout(Path(folder)), int(element)
    if read_json(layout.submission).get("state") == WITHDRAWN:
        sys.stderr.write(f"nobody waits for this any more; remove {layout.submission} to run it\n")
        return 0
    told = Told(layout.told(number))
    stop, signals = threading.Event(), list[int]()

    def end(number: int, _: object) -> None:
        signals.append(number)
        stop.set()

    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, end)
    told.line(started={"host": os.uname().nodename, "node": os.environ.get("SLURMD_NODENAME", ""),
                       "job": os.environ.get("SLURM_JOB_ID", ""),
                       "array": os.environ.get("SLURM_ARRAY_JOB_ID", "")})  # fmt: skip
    try:
        _run(layout, number, told, stop)
    except Exception as error:  # noqa: BLE001 - the driver must hear of it
        import traceback

        traceback.print_exc()
        told.line(ended=0, fault=f"{type(error).__name__}: {error}")
        return 1
    told.line(ended=signals[0] if signals else 0)
    return 128 + signals[0] if signals else 0


class Told:
    """The file in which an element tells what it does; only ever added to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def line(self, **facts: object) -> None:
        """Add one line, whole: readers look while it is written."""
        data = json.dumps(facts).encode() + b"\n"
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            while data:
                data = data[os.write(file, data) :]
        finally:
            os.close(file)

    def answered(self) -> int:
        """Count the requests that an earlier start of this element has answered."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return 0
        return sum('"result"' in line[:16] for line in lines if line.endswith("}"))


def _run(layout: BatchLayout, element: int, told: Told, stop: threading.Event) -> None:
    plan = read_plan(layout)
    requests = read_requests(layout, plan, element)
    # Slurm itself put the job back into its queue, after a node failed: what is done stays done
    first = told.answered() if os.environ.get("SLURM_RESTART_COUNT") else 0
    environment = _environment(*plan.environment)
    with _Scratch(plan.spec) as scratch:
        spec = spec_here(plan.spec, element, scratch, os.environ)
        fault = _fault(environment, spec)
        with Worker(spec, environment, _begin(environment, spec)) as worker:
            for index, request in enumerate(requests[first:], first):
                if stop.is_set():
                    return
                result = _settled(request, fault) if fault else _ask(worker, request, stop)
                if _interrupted(result, stop):
                    return  # Slurm knows by whom, and why
                told.line(result=result.to_json(), index=index)


def _interrupted(result: TaskResult, stop: threading.Event) -> bool:
    """Tell whether the request came to nothing because Slurm ends the job.

    Slurm signals every process of a job: the worker's end may be seen before our own signal.
    """
    if result.reason == "signal":
        stop.wait(0.5)
    return stop.is_set() and not result.ok


def spec_here(
    spec: WorkerSpec, element: int, scratch: str, variables: Mapping[str, str]
) -> WorkerSpec:
    """Make the worker this element's own: its name, its temporary files, the GPUs it was given."""
    job = variables.get("SLURM_JOB_ID", "0")
    given = any(variables.get(name) for name in ("SLURM_JOB_GPUS", "SLURM_GPUS_ON_NODE"))
    visible = variables.get("CUDA_VISIBLE_DEVICES", "") if given else ""
    return replace(
        spec,
        name=f"{spec.name}-{element}-{job}",
        scratch=scratch,
        owner=owner_label(),
        gpu_ids=tuple(part for part in visible.split(",") if part.strip()),
    )


class _Scratch:
    """A private folder on the node's own disk; beside the jobs where the node offers none."""

    def __init__(self, spec: WorkerSpec) -> None:
        self._shared = Path(spec.scratch).parent

    def __enter__(self) -> str:
        local = os.environ.get("TMPDIR", "")
        usable = bool(local) and os.access(local, os.W_OK | os.X_OK)
        if not usable:
            self._shared.mkdir(parents=True, exist_ok=True)
        # tempfile and shutil, which it loads, cost as much as all else here
        name = f"cyto-{os.environ.get('SLURM_JOB_ID', '0')}-{os.getpid()}-{os.urandom(4).hex()}"
        self._path = Path(local if usable else self._shared, name)
        self._path.mkdir(mode=0o700)
        return str(self._path)

    def __exit__(self, *_: object) -> None:
        _remove(self._path)


def _remove(folder: Path) -> None:
    """Remove a folder and all in it, as far as that can be done."""
    for where, folders, files in os.walk(folder, topdown=False):
        for name in [*files, *folders]:
            with contextlib.suppress(OSError):
                path = Path(where, name)
                path.rmdir() if name in folders and not path.is_symlink() else path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _environment(module: str, name: str) -> Environment:
    try:
        found = importlib.import_module(module)
    except ImportError:  # a plugin's lies in the site packages
        import site

        site.main()
        found = importlib.import_module(module)
    made: Environment = getattr(found, name)()
    return made


def _begin(environment: Environment, spec: WorkerSpec) -> Callable[..., Child]:
    """Say how the worker's process begins: on the node itself as a fork of this one.

    This program is small, has one thread, and has loaded half of what a worker needs. Variables
    of the user's own may be for the loader or for Python itself, and need a start from nothing.
    """
    if environment.name != "baremetal" or spec.placement.env:
        return Child
    from cyto.runners import container_worker

    return functools.partial(ForkedChild, main=container_worker.main)


def _fault(environment: Environment, spec: WorkerSpec) -> str:
    """Say why this node cannot start the worker; empty when it can."""
    try:
        environment.check(spec.placement)
        environment.sweep()  # what jobs left that were killed here
    except UnavailableError as error:
        where = os.environ.get("SLURMD_NODENAME") or os.uname().nodename
        return f"node {where}: {error}"
    return ""


def _ask(worker: Worker, request: TaskRequest, stop: threading.Event) -> TaskResult:
    """Run one request; tell a kill by Slurm's memory limit from others, which look the same."""
    before = oom_kills()
    result = worker.run(request, stop=stop)
    if result.reason == "signal" and oom_kills() > before:
        return _settled(request, memory_ending(worker.spec.placement).message, "memory")
    return result


def _settled(request: TaskRequest, message: str, reason: str = "lost") -> TaskResult:
    result = TaskResult(reason=reason, message=message)
    write_whole(JobLayout(Path(request.folder)).result, result.to_json())
    return result
