"""A worker that is a fork of a small program: as much a process of its own as one started anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cyto

PROGRAM = """
import functools, json, os, signal, sys
from dataclasses import replace
from pathlib import Path
from cyto.core.placement import Placement, Resources
from cyto.core.request import TaskRequest
from cyto.runners import container_worker
from cyto.runners.baremetal import BaremetalRunner
from cyto.runners.process import ForkedChild
from cyto.runners.worker import Worker, worker_spec

jobs, module, asked = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
signal.signal(signal.SIGTERM, lambda *_: sys.exit("the program's own handler"))
wanted = Resources(memory_bytes=200 << 20, walltime_s=20.0)
spec = worker_spec(name="forked", placement=Placement(resources=wanted), jobs=jobs, threads=1)
begin = functools.partial(ForkedChild, main=container_worker.main)
told = []
with Worker(spec, BaremetalRunner(), begin) as worker:
    for number, task in enumerate(asked):
        folder = jobs / f"job{number}"
        folder.mkdir(parents=True)
        limited = replace(wanted, walltime_s=0.5) if task == "Sleeps" else wanted
        worker.spec = replace(spec, placement=replace(spec.placement, resources=limited))
        request = TaskRequest(task=f"forked_tasks.{task}", folder=str(folder), code=(module,))
        result = worker.run(request)
        values = {key: ref.value for key, ref in result.outputs.items()}
        told.append([result.reason, result.message, values])
        assert json.loads((folder / "result.json").read_text())["reason"] == result.reason
told.append(dict(os.environ).get("OMP_NUM_THREADS"))
print(json.dumps(told))
"""

TASKS = """
import os, signal, sys, time

class Tells:
    def __call__(self, data):
        import numpy

        print("said by the task")
        return {
            "pid": os.getpid(), "parents": os.getppid(), "session": os.getsid(0),
            "threads": os.environ.get("OMP_NUM_THREADS"), "cwd": os.getcwd(),
            "stdin": sys.stdin.read() if sys.stdin else "", "term": str(signal.getsignal(15)),
            "files": sorted(int(name) for name in os.listdir("/proc/self/fd")),
        }

class Crashes:
    def __call__(self, data):
        os.kill(os.getpid(), signal.SIGSEGV)

class Grows:
    def __call__(self, data):
        self.kept = [b"x" * (1 << 20) for _ in range(400)]
        time.sleep(20)

class Sleeps:
    def __call__(self, data):
        time.sleep(20)
"""


@pytest.fixture
def ask(tmp_path: Path):
    """Run tasks one after the other in a forked worker; give what was told of each."""
    module = tmp_path / "forked_tasks.py"
    module.write_text(TASKS)

    def ask(*tasks: str) -> list:
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-c", PROGRAM, str(tmp_path / "jobs"), str(module),
             json.dumps(tasks)],
            capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
            cwd=Path(cyto.__file__).parent.parent,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def test_it_is_a_process_of_its_own(ask, tmp_path):
    (reason, message, first), (_, _, second), threads = ask("Tells", "Tells")
    assert reason == "", message
    assert first["pid"] == second["pid"], "warm"
    assert first["session"] not in {os.getsid(0), first["pid"]}, "its monitor leads a session"
    assert (first["threads"], threads) == ("1", None), "its variables are not the program's"
    assert first["cwd"] == str(tmp_path / "jobs" / ".scratch" / "forked")
    assert first["stdin"] == ""
    assert "handler" not in first["term"]
    assert len(first["files"]) < 12, "nothing of the program's stays open"
    assert (tmp_path / "jobs/job0/log.txt").read_text() == "said by the task\n"


def test_what_ends_it_ends_it_alone(ask):
    crash, after, grown, again, late, last, _ = ask(
        "Crashes", "Tells", "Grows", "Tells", "Sleeps", "Tells"
    )
    assert crash[0] == "signal"
    assert "SIGSEGV" in crash[1]
    assert grown[0] == "memory"
    assert "200 MB" in grown[1] or "memory limit" in grown[1]
    assert late[0] == "timeout"
    assert [after[0], again[0], last[0]] == [""] * 3
    assert len({each[2]["pid"] for each in (after, again, last)}) == 3
