"""Real worker processes: reused while they live, explained when they die, gone afterwards."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from cyto.runners import exchange

MIB = 2**20


def test_one_process_serves_many_requests(bench):
    one = bench()
    pids = {one.value(one.run("Fine"), "pid") for _ in range(5)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


def test_a_failed_task_does_not_end_its_worker(bench):
    one = bench()
    pid = one.value(one.run("Fine"), "pid")
    for task in ("Raises", "OutOfMemory", "Lacks", "Opaque", "NoSuchClass", "RaisesOddly"):
        assert not one.run(task).ok
    assert not one.run("Exits", code=3).ok
    assert one.value(one.run("Fine"), "pid") == pid


def test_values_go_in_and_out(bench, tmp_path):
    one = bench()
    movie = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    ref = exchange.save(movie, "image", tmp_path, "movie")
    result = one.run("Fine", {"image": ref})
    assert result.ok, result.message
    out = result.outputs["image"]
    assert Path(out.path) == one.folder / "out" / "image.npy"
    np.testing.assert_array_equal(exchange.load(out), movie)
    assert result.wall_s > 0
    assert result.peak_bytes > 5 * MIB
    assert result.versions["numpy"] == np.__version__


def test_the_peak_is_each_tasks_own(bench):
    one = bench()
    big = one.run("Big", frames=1600)
    small = one.run("Fine")
    assert big.peak_bytes > 200 * MIB
    assert small.peak_bytes < big.peak_bytes - 150 * MIB


FAILURES = [
    # task, parameters, reason, words
    ("Raises", {}, "exception", ["ValueError: no cells in frame 3 (in do, worker_tasks.py line"]),
    ("RaisesOddly", {}, "exception", ["Odd: odd"]),
    ("OutOfMemory", {}, "memory", ["out of memory: cannot have 5 TB"]),
    ("Lacks", {}, "exception", ["no library 'no_such_library_at_all'", "image that has it"]),
    ("NoSuchClass", {}, "exception", ["module 'worker_tasks' has no class 'NoSuchClass'"]),
    ("Opaque", {}, "exception", ["output 'odd': a value of type object cannot leave its task"]),
    ("Exits", {"code": 7}, "exit", ["ended its own process (exit code 7) instead of returning"]),
    ("Exits", {"code": 0}, "exit", ["ended its own process (exit code 0)"]),
    ("Exits", {"code": "bye"}, "exit", ["ended its own process (exit code 'bye')"]),
    ("Interrupted", {}, "exception", ["KeyboardInterrupt"]),
    ("ExitsHard", {"code": 9}, "exit", ["ended with exit code 9"]),
    ("ExitsHard", {"code": 0}, "exit", ["ended its own process (exit code 0)"]),
    ("Crashes", {}, "signal", ["crashed inside a compiled library (SIGSEGV)", "log"]),
    ("Aborts", {}, "signal", ["crashed inside a compiled library (SIGABRT)"]),
    ("Signals", {"number": 9}, "signal", ["was killed (SIGKILL)", "resources.memory"]),
    ("Signals", {"number": 15}, "signal", ["was ended by SIGTERM"]),
]


@pytest.mark.parametrize(
    ("task", "params", "reason", "words"), FAILURES, ids=[f"{f[0]}{f[1] or ''}" for f in FAILURES]
)
def test_each_end_has_its_reason_and_its_words(task, params, reason, words, bench, nothing_left):
    one = bench()
    result = one.run(task, **params)
    assert (result.reason, result.outputs) == (reason, {})
    for part in words:
        assert part in result.message
    again = one.run("Fine")
    assert again.ok, again.message
    one.worker.close()
    nothing_left()


def test_an_exception_leaves_its_traceback(bench):
    one = bench()
    result = one.run("Raises")
    assert 'raise ValueError("no cells in frame 3")' in result.traceback
    assert "no cells in frame 3" in one.log


def test_a_crash_leaves_its_place_in_the_log(bench):
    one = bench()
    one.run("Crashes")
    assert "Fatal Python error: Segmentation fault" in one.log
    assert "worker_tasks.py" in one.log


def test_what_it_said_before_it_died_is_kept(bench):
    one = bench()
    one.run("ExitsHard", code=3)
    assert "last words" in one.log


@pytest.mark.parametrize("task", ["Eats", "ChildEats"])
def test_memory_limit(task, bench):
    one = bench(memory_bytes=150 * MIB, source="res.yaml:7")
    result = one.run(task)
    assert result.reason == "memory"
    assert "exceeded its memory limit of 150 MiB" in result.message
    assert "raise resources.memory in res.yaml:7" in result.message
    assert one.run("Fine").ok


def test_mapped_input_does_not_count_as_memory(bench, tmp_path):
    one = bench(memory_bytes=150 * MIB)
    ref = exchange.save(np.ones((200, 1024, 1024), np.uint8), "image", tmp_path, "movie")
    assert one.run("Fine", {"n": exchange.save(1, "value", tmp_path, "n"), "image": ref}).ok


def test_time_limit(bench, tmp_path, alive, wait_for):
    one = bench(walltime_s=0.4, source="res.yaml:9")
    result = one.run("Sleeps", mark=str(tmp_path / "mark"))
    assert result.reason == "timeout"
    assert "took longer than its time limit of 0.4 s" in result.message
    assert "raise resources.walltime in res.yaml:9" in result.message
    pids = [int(pid) for pid in (tmp_path / "mark").read_text().split()]
    wait_for(lambda: not any(map(alive, pids)), "the end of task and child", 5)
    assert one.run("Fine").ok


def test_stop(bench, tmp_path, wait_for, alive):
    one, stop, mark = bench(), threading.Event(), tmp_path / "mark"
    ended = []
    thread = threading.Thread(
        target=lambda: ended.append(one.run("Sleeps", stop=stop, mark=str(mark)))
    )
    thread.start()
    wait_for(lambda: mark.exists() and mark.read_text(), "the task's start")
    stop.set()
    thread.join(20)
    assert ended[0].reason == "cancelled"
    pids = [int(pid) for pid in mark.read_text().split()]
    wait_for(lambda: not any(map(alive, pids)), "the end of task and child", 5)


def test_stopped_before_it_started(bench):
    stop = threading.Event()
    stop.set()
    assert bench().run("Fine", stop=stop).reason == "cancelled"


def test_killed_by_somebody_between_two_tasks(bench, wait_for, alive):
    one = bench()
    pid = one.value(one.run("Fine"), "pid")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), "its end")
    result = one.run("Fine")
    if not result.ok:  # the death may be noticed with the next request
        assert result.reason == "signal"
        result = one.run("Fine")
    assert one.value(result, "pid") != pid


def test_a_child_that_a_task_left_ends_with_the_worker(bench, alive, wait_for):
    one = bench()
    child = one.value(one.run("LeavesAChild"), "child")
    one.worker.close()
    wait_for(lambda: not alive(child), "the end of what the task left", 5)


def test_a_thread_that_a_task_left_does_not_hold_the_worker(bench):
    one = bench()
    assert one.run("LeavesAThread").ok
    one.worker.close(patience_s=0.5)
    assert not one.worker.alive


def test_what_a_tool_prints_goes_to_the_log(bench):
    one = bench()
    result = one.run("Talks")
    assert result.ok, result.message
    for line in ("to stderr", "from below", "from C", "from a child", "unfinished é", '{"result"'):
        assert line in one.log
    assert one.run("Fine").ok
    assert one.log == "", "and each log is the task's own"


def test_a_tool_that_reads_stdin_gets_nothing(bench):
    one = bench()
    result = one.run("Reads")
    assert (one.value(result, "read"), one.value(result, "fd")) == ("", "")
    assert one.run("Fine").ok


@pytest.mark.parametrize("task", ["ReplacesStdout", "ClosesStdout", "SetsSignals"])
def test_what_a_task_does_to_its_process_does_not_reach_the_next(task, bench, wait_for):
    one = bench()
    first = one.run(task)
    assert first.ok, first.message
    second = one.run("Talks")
    assert second.ok, second.message
    assert "from below" in one.log
    assert "from a child" in one.log


def test_environment_and_folder_do_not_reach_the_next_task(bench):
    one = bench()
    before = one.value(one.run("ShowsEnvironment"), "environ")
    folder = one.run("ShowsEnvironment").outputs["cwd"].value
    assert one.run("SetsEnvironment").ok
    assert one.run("ChangesFolder").ok
    after = one.run("ShowsEnvironment")
    assert one.value(after, "environ") == before
    assert one.value(after, "cwd") == folder


def test_the_environment_of_a_worker(bench, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/odd")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("CYTO_TEST_OWN", "mine")
    one = bench(cpus=1)
    found = one.value(one.run("ShowsEnvironment"), "environ")
    assert "PYTHONPATH" not in found
    assert found["CUDA_VISIBLE_DEVICES"] == "", "a node without a GPU sees none"
    assert found["CYTO_TEST_OWN"] == "mine"
    assert found["OMP_NUM_THREADS"] == "1"
    assert Path(found["TMPDIR"]).is_relative_to(one.jobs)


def test_variables_of_the_profile_reach_the_task(bench):
    one = bench(env=(("TOOL_MODE", "fast, please"), ("OMP_NUM_THREADS", "3")))
    found = one.value(one.run("ShowsEnvironment"), "environ")
    assert found["TOOL_MODE"] == "fast, please"
    assert found["OMP_NUM_THREADS"] == "3"


def test_the_same_seed_gives_the_same_numbers(bench):
    one = bench()
    one.run("Random")  # from now on, NumPy is loaded
    numbers = [one.value(one.run("Random", seed=seed), "random") for seed in (5, 6, 5, 2**40)]
    assert numbers[0] == numbers[2] != numbers[1]
    assert len({tuple(each) for each in numbers}) == 3


def test_the_first_task_of_a_worker_is_seeded_too(bench):
    first = [one.value(one.run("Random", seed=5), "random") for one in (bench("a"), bench("b"))]
    assert first[0] == first[1]


HOSTILE = [
    "a space, it's", 'a "quote" é ü', "new\nline", "semi;col:on", "$HOME `id` $(id) *?", "-rf",
    "back\\slash", "日本",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_folders_with_odd_names(name, bench, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    module = folder / "odd_place_tasks.py"
    module.write_text((tmp_path / "worker_tasks.py").read_text())
    one = bench(f"{name}/jobs", module=module)
    movie = np.ones((2, 3, 4), np.uint8)
    ref = exchange.save(movie, "image", folder, "movie")
    result = one.run("Fine", {"image": ref})
    assert result.ok, result.message
    np.testing.assert_array_equal(exchange.load(result.outputs["image"]), movie)
    by_hand(one, 0)


def by_hand(one, code: int) -> str:
    """Run the last job again with the command that it records."""
    command = shlex.split((one.folder / "command.txt").read_text())
    (one.folder / "result.json").unlink()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", stdin=subprocess.DEVNULL
    )
    assert done.returncode == code, done.stderr
    assert json.loads((one.folder / "result.json").read_text())["reason"] == (
        "exception" if code else ""
    )
    return done.stdout + done.stderr


def test_the_recorded_command_runs_the_job_again(bench, tmp_path):
    one = bench()
    movie = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    ref = exchange.save(movie, "image", tmp_path, "movie")
    assert one.run("Fine", {"image": ref}, text='it\'s a "quote"\n; $HOME').ok
    one.worker.close()
    out = one.folder / "out" / "image.npy"
    out.unlink()
    by_hand(one, 0)
    np.testing.assert_array_equal(np.load(out), movie)


def test_the_recorded_command_shows_the_failure_again(bench):
    one = bench()
    one.run("Raises")
    assert "ValueError: no cells in frame 3" in by_hand(one, 1)


@pytest.mark.parametrize("args", [[], ["--help"], ["a", "b"], ["--nonsense"]])
def test_the_worker_explains_itself(args):
    done = subprocess.run(
        [sys.executable, "-m", "cyto.runners.container_worker", *args],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "REQUEST.json" in done.stderr
    assert done.returncode == (0 if args == ["--help"] else 2)


DRIVER = """
import sys, threading
from pathlib import Path
from cyto.core.placement import Placement
from cyto.core.request import TaskRequest
from cyto.runners.baremetal import BaremetalRunner
from cyto.runners.worker import Worker, worker_spec
jobs, module, task, mark = map(Path, sys.argv[1:])
job = jobs / "job"
job.mkdir(parents=True)
spec = worker_spec(name="w", placement=Placement(), jobs=jobs, code=(str(module),))
worker = Worker(spec, BaremetalRunner())
request = TaskRequest(task=f"{module.stem}.{task}", params={"mark": str(mark)}, folder=str(job),
                      code=(str(module),))
print(worker.run(request), flush=True)
sys.stdin.read()
"""


def start_driver(tmp_path, tasks, task):
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "jobs"), str(tasks), task,
         str(tmp_path / "mark")],
        cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_a_driver_that_is_killed_takes_worker_and_children_along(
    tmp_path, tasks, wait_for, alive, nothing_left
):
    mark = tmp_path / "mark"
    driver = start_driver(tmp_path, tasks, "Sleeps")
    wait_for(lambda: mark.exists() and len(mark.read_text().split()) == 2, "the task's start")
    pids = [int(pid) for pid in mark.read_text().split()]
    assert all(map(alive, pids))
    driver.kill()
    driver.communicate()
    wait_for(lambda: not any(map(alive, pids)), "the end of worker and child", 5)
    nothing_left()


def test_a_driver_that_is_killed_takes_a_waiting_worker_along(tmp_path, tasks, nothing_left):
    driver = start_driver(tmp_path, tasks, "LeavesAChild")
    assert b"TaskResult" in driver.stdout.readline()
    driver.kill()
    driver.communicate()
    nothing_left()


def test_a_request_that_nobody_waits_for_is_not_run(tmp_path, tasks):
    """The driver may die between asking and the worker's first look at the question."""
    job = tmp_path / "job"
    job.mkdir()
    mark = tmp_path / "mark"
    request = {"task": "worker_tasks.Sleeps", "params": {"mark": str(mark)}, "inputs": {},
               "folder": str(job), "code": [str(tasks)]}  # fmt: skip
    worker = subprocess.Popen(
        [sys.executable, "-m", "cyto.runners.container_worker", "--serve"],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        worker.communicate(json.dumps(request).encode() + b"\n", timeout=5)
    except subprocess.TimeoutExpired:
        pytest.fail("the worker runs on although nobody listens")
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def test_closing_twice_and_unused(bench):
    one = bench()
    one.worker.close()
    with one.worker:
        assert one.run("Fine").ok
    assert not one.worker.alive
    one.worker.close()
