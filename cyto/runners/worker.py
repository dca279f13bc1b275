"""The host's side of a worker: start it, ask it, watch it, and say how it ended."""

from __future__ import annotations

import json
import os
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import cyto
from cyto.core.layout import JobLayout
from cyto.core.placement import Placement
from cyto.core.request import TaskRequest, TaskResult
from cyto.core.units import format_duration
from cyto.runners.environment import (
    INSIDE,
    Ending,
    Environment,
    Mount,
    WorkerSpec,
    memory_ending,
    owner_label,
    thread_variables,
)
from cyto.runners.process import Child, tree_memory

_START_LIMIT_S = 900.0  # a SIF may have to be unpacked first
_TICK_S = 0.1
_PERHAPS_ANOTHERS = frozenset({"signal", "exit", "memory", "lost"})
_MODULE = ("-m", "cyto.runners.container_worker")
_REQUEST = "@REQUEST@"
"""Where the path of a request goes in a command that is made once for all of a worker's jobs."""


def worker_spec(
    *,
    name: str,
    placement: Placement,
    jobs: Path,
    readable: Sequence[str] = (),
    writable: Sequence[str] = (),
    code: Sequence[str] = (),
    gpu_ids: tuple[str, ...] = (),
    threads: int | None = None,
) -> WorkerSpec:
    """Say what a worker sees: its job folders, its inputs, our code and the user's.

    Parameters
    ----------
    name
        Unique and safe.
    placement
        What the profile says.
    jobs
        The folder with its job folders; it may write there.
    readable
        Files and folders of the host that its inputs lie in.
    writable
        More folders that it may write into.
    code
        Module files or package folders of the user's own tasks.
    gpu_ids, threads
        Its GPUs, and how many threads numerical libraries may use.
    """
    package = str(Path(cyto.__file__).resolve().parent)
    modules = [package, *code]
    mounts = [
        *(Mount(source=m, target=f"{INSIDE}/code/{PurePosixPath(m).name}") for m in modules),
        *(
            Mount(source=path, target=f"{INSIDE}/in/{i}/{_neutral(path)}")
            for i, path in enumerate(sorted(set(readable)))
        ),
        Mount(source=str(jobs), target=f"{INSIDE}/jobs", writable=True),
        *(
            Mount(source=path, target=f"{INSIDE}/out/{i}", writable=True)
            for i, path in enumerate(sorted(set(writable)))
        ),
        *(
            Mount(source=bind.source, target=bind.target, writable=bind.writable)
            for bind in placement.binds
        ),
    ]
    scratch = jobs / ".scratch" / name
    return WorkerSpec(
        name=name,
        placement=placement,
        mounts=tuple(mounts),
        env=thread_variables(threads),
        gpu_ids=gpu_ids,
        scratch=str(scratch),
        user=(os.getuid(), os.getgid()),
        owner=owner_label(),
    )


def _neutral(path: str) -> str:
    """Keep a file's ending, which tools go by, and nothing that could need quoting."""
    suffix = PurePosixPath(path).suffix
    return "data" + (suffix if suffix[1:].isalnum() and suffix.isascii() else "")


class Worker:
    """One worker process in one environment, reused for one request after the other.

    *served* counts the requests, *ready* says that its process has started, and *waiting_since* is
    its owner's to set. Use it as a context manager: whatever happens, nothing of it stays behind.

    Parameters
    ----------
    spec, environment
        What it is, and where.
    begin
        Starts its process: `Child`, or what behaves like it.
    """

    def __init__(
        self, spec: WorkerSpec, environment: Environment, begin: Callable[..., Child] = Child
    ) -> None:
        self._begin = begin
        self.spec = spec
        self.environment = environment
        self.served = 0
        self.ready = False
        self.waiting_since = 0.0
        self._child: Child | None = None
        self._folder = Path(spec.scratch)
        self._by_hand = ""

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether a process waits for requests."""
        return self._child is not None

    def command(self, *args: str, watched: bool = True) -> list[str]:
        """Give the command that runs the worker with *args* in its environment."""
        module = () if self.environment.sees_host else _MODULE
        return self.environment.wrap(replace(self.spec, watched=watched), [*module, *args])

    def run(self, request: TaskRequest, *, stop: threading.Event | None = None) -> TaskResult:
        """Run one request and wait for its result.

        Parameters
        ----------
        request
            Paths as the host sees them; the job folder exists and lies in the spec's jobs folder.
        stop
            When set, the task is ended and its result says ``cancelled``.

        Returns
        -------
        The one result, with absolute paths of the host; the same is in ``result.json``. A process
        that dies with a task and has run others before is not the task's fault for sure: the
        task is asked of a new one.
        """
        self.served += 1
        used = self.alive
        result = self._ask(request, stop)
        if used and not self.alive and result.reason in _PERHAPS_ANOTHERS:
            # an earlier task may have left what ended it: a limit nearly reached, a timer, a thread
            import shutil

            job = JobLayout(Path(request.folder))
            job.result.unlink(missing_ok=True)
            shutil.rmtree(job.out, ignore_errors=True)
            result = self._ask(request, stop)
        return result

    def _ask(self, request: TaskRequest, stop: threading.Event | None) -> TaskResult:
        job = JobLayout(Path(request.folder))
        text = self._write(request, job)
        started = time.monotonic()
        answer: str | Ending
        try:
            self._start(stop)
            started = time.monotonic()
            if self._child is None:
                answer = Ending(reason="cancelled", message="was stopped before it started")
            else:
                self._child.send(text)
                answer = self._follow(self._child, started, stop)
        except EOFError:
            answer = self._died()
        if isinstance(answer, str):
            return self._result(json.loads(answer)["result"])
        self.close(patience_s=0)
        return self._settle(job, answer, time.monotonic() - started)

    def _write(self, request: TaskRequest, job: JobLayout) -> str:
        """Write the request and the command that runs it by hand; give what the worker is sent."""
        seen = request if self.environment.sees_host else request.moved(self._move)
        text = json.dumps(seen.to_json())
        _write_file(job.request, text)
        if not self._by_hand:
            self._by_hand = shlex.join(self.command(_REQUEST, watched=False)) + "\n"
        path = shlex.quote(f"{seen.folder}/{job.request.name}")
        _write_file(job.command, self._by_hand.replace(_REQUEST, path))
        return text

    def close(self, patience_s: float = 5.0) -> None:
        """End the worker, kindly first, and remove what is left of it."""
        child, self._child = self._child, None
        if child is None:
            return
        try:
            if patience_s:
                child.close(patience_s)
            else:
                child.kill()
        finally:
            self.environment.remove(self.spec)

    def _start(self, stop: threading.Event | None) -> None:
        if stop is not None and stop.is_set():
            self.close(patience_s=0)
        if self._child is not None or (stop is not None and stop.is_set()):
            return
        (self._folder / "tmp").mkdir(parents=True, exist_ok=True)
        self._child = self._begin(
            self.command("--serve"),
            env=self.environment.variables(self.spec),
            cwd=self._folder,
            stderr=self._folder / "stderr.txt",
        )
        deadline = time.monotonic() + _START_LIMIT_S
        while self._child.receive(_TICK_S) is None:
            if stop is not None and stop.is_set():
                self.close(patience_s=0)
                return
            if time.monotonic() > deadline:
                raise EOFError
        self.ready = True

    def _follow(self, child: Child, started: float, stop: threading.Event | None) -> str | Ending:
        """Wait for the answer and give it, or say why there will be none."""
        wanted = self.spec.placement.resources
        limit = None if self.environment.limits_memory else wanted.memory_bytes
        while True:
            answer = child.receive(_TICK_S)
            if answer is not None:
                return answer
            if stop is not None and stop.is_set():
                return Ending(reason="cancelled", message="was stopped")
            if wanted.walltime_s and time.monotonic() - started > wanted.walltime_s:
                return self._late(wanted.walltime_s)
            if limit and tree_memory(child.pid) > limit:
                return memory_ending(self.spec.placement)

    def _late(self, walltime_s: float) -> Ending:
        where = f" in {self.spec.placement.source}" if self.spec.placement.source else ""
        return Ending(
            reason="timeout",
            message=f"took longer than its time limit of {format_duration(walltime_s)} and was "
            f"ended; raise resources.walltime{where}",
        )

    def _died(self) -> Ending:
        child = self._child
        code = child.wait(10.0) if child is not None else None
        try:
            stderr = (self._folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            stderr = ""
        return self.environment.explain(self.spec, code, stderr)

    def _settle(self, job: JobLayout, ending: Ending, wall_s: float) -> TaskResult:
        """Write the result that the worker could not; one that it wrote last of all counts."""
        if job.result.exists() and ending.reason not in {"timeout", "cancelled"}:
            return self._read(job)
        result = TaskResult(reason=ending.reason, message=ending.message, wall_s=wall_s)
        part = job.result.with_suffix(".part")
        part.write_text(json.dumps(result.to_json()), encoding="utf-8")
        part.replace(job.result)
        return result

    def _read(self, job: JobLayout) -> TaskResult:
        return self._result(json.loads(job.result.read_text(encoding="utf-8")))

    def _result(self, data: Mapping[str, Any]) -> TaskResult:
        result = TaskResult.from_json(data)
        if self.environment.sees_host:
            return result
        back = {key: ref.moved(self._back) for key, ref in result.outputs.items()}
        return replace(result, outputs=back, message=self._in_hosts_words(result.message))

    def _in_hosts_words(self, message: str) -> str:
        """Name files in a message as the user knows them, not as the container sees them."""
        for mount in sorted(self.spec.mounts, key=lambda m: len(m.target), reverse=True):
            message = message.replace(mount.target, mount.source)
        return message

    def _move(self, path: str) -> str:
        """Map a path of the host to what the container sees."""
        return _mapped(path, {mount.source: mount.target for mount in self.spec.mounts})

    def _back(self, path: str) -> str:
        """Map a path that the container wrote to the host's."""
        return _mapped(path, {m.target: m.source for m in self.spec.mounts if m.writable})


def _write_file(path: Path, text: str) -> None:
    """Write a small file at once; Python's own files cost as much as the rest of a request."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        data = memoryview(text.encode())
        while data:
            data = data[os.write(file, data) :]
    finally:
        os.close(file)


def _mapped(path: str, folders: Mapping[str, str]) -> str:
    """Replace the longest folder of *folders* that *path* lies in.

    Raises
    ------
    ValueError
        It lies in none: the worker could not see it.
    """
    fits = [f for f in folders if path == f or path.startswith(f.rstrip("/") + "/")]
    if not fits:
        raise ValueError(f"{path!r} lies in no folder that the worker sees")
    longest = max(fits, key=len)
    return folders[longest] + path[len(longest) :]
