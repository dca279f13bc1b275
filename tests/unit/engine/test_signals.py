"""A run that is stopped or killed leaves nothing behind, and the next one goes on from there."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

TEXT = """
channels: {t: movie.tif}
tasks:
  scale: {module: MODULE.Scale}
  wait: {module: MODULE.Wait, params: {name: go}}
  after: {module: MODULE.Wait, params: {name: go}, inputs: {value: wait}}
"""


@pytest.fixture
def running(lab, wait_for, nothing_left):
    """Start the real program, and wait until one node is done and one works."""
    children = []

    def start(*args):
        lab.write(TEXT)
        child = lab.start("run", lab.pipeline, *args)
        children.append(child)
        wait_for(lambda: len(lab.store()) == 1 and "wait-go" in lab.ran(), "the second node")
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop(number, lab, running, nothing_left):
    child = running()
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    nothing_left()
    assert "Stopped in" in out
    assert "wait: cancelled" in err
    assert "after: cancelled" in err
    assert "Traceback" not in err
    assert len(lab.store()) == 1, "what was done stays, and nothing half"
    (lab / "go").touch()
    again = lab.cyto("run", lab.pipeline, "--json")
    found = {n: r["outcome"] for n, r in json.loads(again.out)["nodes"].items()}
    assert found == {"scale": "cached", "wait": "succeeded", "after": "succeeded"}


def test_kill_9_and_run_again(lab, running, nothing_left):
    child = running()
    child.kill()
    child.communicate()
    nothing_left()
    (lab / "go").touch()
    again = lab.cyto("run", lab.pipeline, "--json")
    assert again.code == 0, again.err
    found = {n: r["outcome"] for n, r in json.loads(again.out)["nodes"].items()}
    assert found == {"scale": "cached", "wait": "succeeded", "after": "succeeded"}
    assert lab.ran().count("scale2") == 1


def test_another_run_is_refused_while_one_works(lab, running):
    child = running()
    other = lab.cyto("run", lab.pipeline)
    assert other.code == 3
    assert f"another run works in {lab / 'output'}: pid {child.pid} on host" in other.err
    assert os.uname().nodename in other.err
    free = lab.cyto("run", lab.pipeline, "--only", "scale", "-o", lab / "elsewhere")
    assert free.code == 0, free.err
    (lab / "go").touch()
    assert child.wait(30) == 0


def test_a_worker_that_is_killed_fails_its_node_alone(lab, running, wait_for):
    child = running()
    pid = next(
        int(line.split()[1])
        for line in (lab / f"{lab.module}.ran").read_text().splitlines()
        if line.startswith("wait-go")
    )
    os.kill(pid, signal.SIGKILL)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "was killed (SIGKILL)" in out
    assert "after: skipped" in err


def test_a_task_that_ignores_signals_is_stopped_too(lab, wait_for, nothing_left):
    lab.tasks(
        (lab / f"{lab.module}.py").read_text()
        + """
class Stubborn(PipelineTask):
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        import signal, subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen(["sh", "-c", "trap '' TERM INT; sleep 600"])
        note("stubborn")
        child.wait()
"""
    )
    lab.write("tasks: {s: {module: MODULE.Stubborn}}")
    child = lab.start("run", lab.pipeline)
    wait_for(lambda: "stubborn" in lab.ran(), "the task's start")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == 130
    nothing_left()


def test_a_worker_that_is_killed_while_it_writes_leaves_nothing_in_the_store(lab, wait_for):
    lab.tasks(
        (lab / f"{lab.module}.py").read_text()
        + """
class Large(PipelineTask):
    \"\"\"Give 200 MB, frame by frame; stop in the middle until a file appears.\"\"\"
    outputs = {"image": Port("image"), "value": Port("value")}
    def run_baremetal(self, data):
        from cyto.core.movie import Frames
        def made():
            for number in range(200):
                while number == 100 and not Path(__file__).with_name("go").exists():
                    time.sleep(0.02)
                yield np.full((1000, 1000), number, np.uint8)
        note("large")
        return {"value": 1, "image": Frames((200, 1000, 1000), np.uint8, made())}
"""
    )
    lab.write("tasks: {large: {module: MODULE.Large, output: true}}")
    child = lab.start("run", lab.pipeline)
    half = "output/.cyto/runs/*/jobs/*/large/out/image.npy"
    wait_for(lambda: [p for p in lab.folder.glob(half) if p.stat().st_size > 90e6], "half of it")
    (pid,) = lab.pids()
    os.kill(int(pid), signal.SIGKILL)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 1, err
    assert "was killed (SIGKILL)" in out
    assert lab.store() == lab.lines() == []
    assert list((lab / "output/.cyto/store").rglob("*.npy")) == []
    assert list(lab.folder.glob(half)) == [], "nor beside it"
    assert not (lab / "output" / "large").exists()
    (lab / "go").touch()
    again = lab.cyto("run", lab.pipeline, "--json")
    assert json.loads(again.out)["nodes"]["large"]["outcome"] == "succeeded"
    movie = np.load(lab.store()[0].with_name("image.npy"), mmap_mode="r")
    assert [int(frame.mean()) for frame in movie[::50]] == [0, 50, 100, 150]
