"""Real workers on bare metal, and tasks that behave in every way."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cyto.core.placement import Placement, Resources
from cyto.core.request import Ref, TaskRequest, TaskResult
from cyto.runners.baremetal import BaremetalRunner
from cyto.runners.worker import Worker, worker_spec

TASKS = '''
import ctypes, json, os, random, signal, subprocess, sys, threading, time
from pathlib import Path

class Task:
    def __init__(self, **params):
        self.__dict__.update(params)
    def __call__(self, data):
        return {"pid": os.getpid(), **(self.do(data) or {})}

class Fine(Task):
    def do(self, data): return dict(data)

class Raises(Task):
    def do(self, data): raise ValueError("no cells in frame 3")

class RaisesOddly(Task):
    def do(self, data):
        class Odd(BaseException):
            def __str__(self): return "odd \\ud800 text"
        raise Odd

class OutOfMemory(Task):
    def do(self, data): raise MemoryError("cannot have 5 TB")

class Interrupted(Task):
    def do(self, data): raise KeyboardInterrupt

class Lacks(Task):
    def do(self, data): import no_such_library_at_all

class Exits(Task):
    def do(self, data): sys.exit(self.code)

class ExitsHard(Task):
    def do(self, data):
        print("last words", flush=True)
        os._exit(self.code)

class Crashes(Task):
    def do(self, data): ctypes.string_at(0)

class Aborts(Task):
    def do(self, data): os.abort()

class Signals(Task):
    def do(self, data): os.kill(os.getpid(), self.number); time.sleep(60)

class Eats(Task):
    def do(self, data):
        hold = []
        while True:
            hold.append(bytearray(os.urandom(1 << 20)) * 16)
            time.sleep(0.02)

class ChildEats(Task):
    def do(self, data):
        code = "import time; hold = bytearray(b'x' * (300 << 20)); time.sleep(60)"
        subprocess.run([sys.executable, "-S", "-c", code])

class Sleeps(Task):
    """Sleep with a child that sleeps too."""
    def do(self, data):
        child = subprocess.Popen(["sleep", "600"])
        Path(self.mark).write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)

class LeavesAChild(Task):
    def do(self, data):
        return {"child": subprocess.Popen(["sleep", "600"]).pid}

class LeavesAThread(Task):
    def do(self, data):
        threading.Thread(target=time.sleep, args=(600,), daemon=False).start()

class Talks(Task):
    def do(self, data):
        print(json.dumps({"result": {"outputs": {}, "reason": ""}}))
        print("to stderr", file=sys.stderr)
        os.write(1, b"from below\\n")
        libc = ctypes.CDLL(None)
        libc.puts(b"from C")
        libc.fflush(None)
        subprocess.run(["echo", "from a child"])
        print("unfinished \\u00e9", end="")

class Reads(Task):
    def do(self, data): return {"read": sys.stdin.read(), "fd": os.read(0, 10).decode()}

class SetsEnvironment(Task):
    def do(self, data):
        os.environ["CYTO_TEST_LEAK"] = "leaked"
        os.environ.pop("PATH", None)
        os.putenv("CYTO_TEST_PUT", "leaked")

class ShowsEnvironment(Task):
    def do(self, data):
        return {"environ": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv[0]}

class ChangesFolder(Task):
    def do(self, data): os.chdir("/")

class ReplacesStdout(Task):
    def do(self, data):
        import io
        sys.stdout = sys.stderr = io.StringIO()
        print("into the void")

class ClosesStdout(Task):
    def do(self, data): sys.stdout.close(); sys.stderr.close(); os.close(1); os.close(2)

class SetsSignals(Task):
    def do(self, data):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)

class Random(Task):
    def do(self, data):
        import numpy
        return {"random": [random.random(), float(numpy.random.rand())]}

class Big(Task):
    def do(self, data):
        import numpy
        return {"image": numpy.full((self.frames, 256, 256), 7, numpy.uint16)}

class Opaque(Task):
    def do(self, data): return {"odd": object()}
'''


class Bench:
    """Run tasks of `TASKS` on one worker, one after the other.

    Parameters
    ----------
    folder
        Where the jobs are.
    module
        The file with the tasks.
    resources
        The worker's limits.
    """

    def __init__(self, folder: Path, module: Path, resources: Resources, **placement: Any) -> None:
        self.jobs, self.module = folder, module
        folder.mkdir(parents=True, exist_ok=True)
        placed = Placement(resources=resources, **placement)
        spec = worker_spec(name="w", placement=placed, jobs=folder, code=(str(module),), threads=1)
        self.worker = Worker(spec, BaremetalRunner())
        self._numbers = itertools.count()
        self.folder = folder

    def request(
        self, task: str, inputs: dict[str, Ref] | None = None, **params: Any
    ) -> TaskRequest:
        self.folder = self.jobs / f"job{next(self._numbers)}"
        self.folder.mkdir()
        return TaskRequest(
            task=f"{self.module.stem}.{task}",
            params=params,
            inputs=inputs or {},
            folder=str(self.folder),
            node="node",
            code=(str(self.module),),
        )

    def run(
        self,
        task: str,
        inputs: dict[str, Ref] | None = None,
        *,
        stop: threading.Event | None = None,
        seed: int = 0,
        **params: Any,
    ) -> TaskResult:
        request = replace(self.request(task, inputs, **params), seed=seed)
        result = self.worker.run(request, stop=stop)
        written = TaskResult.from_json(json.loads((self.folder / "result.json").read_text()))
        assert (written.reason, written.message) == (result.reason, result.message)
        assert len(list(self.folder.glob("result*"))) == 1
        return result

    def value(self, result: TaskResult, key: str) -> Any:
        assert result.ok, result.message
        return result.outputs[key].value

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Write a module of tasks."""
    path = tmp_path / "worker_tasks.py"
    path.write_text(TASKS, encoding="utf-8")
    return path


@pytest.fixture
def bench(
    tmp_path: Path, tasks: Path, nothing_left: Callable[[], None]
) -> Iterator[Callable[..., Bench]]:
    """Make benches; their workers are closed and nothing of them may be left at the end."""
    made: list[Bench] = []

    def make(folder: Path | str = "jobs", *, module: Path = tasks, **kwargs: Any) -> Bench:
        limits = {k: kwargs.pop(k) for k in ("memory_bytes", "walltime_s", "cpus") if k in kwargs}
        made.append(Bench(tmp_path / folder, module, Resources(**limits), **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.worker.close()


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture(name="alive")
def alive_fixture() -> Callable[[int], bool]:
    return alive


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the variables that a login leaves."""
    for name in list(os.environ):
        if name.startswith(("APPTAINER", "SINGULARITY", "CUDA")):
            monkeypatch.delenv(name)
