"""One run per output folder, its record, and the calibration that travels with the data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from cyto.engine.inputs import merge_context
from cyto.engine.lock import RunLock
from cyto.engine.plan import Source
from cyto.engine.record import RunRecord, read_events
from cyto.errors import RunLockedError, TaskInputError

HOLD = """
import sys, time
from pathlib import Path
from cyto.engine.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Let another process hold the lock."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out" / ".cyto" / "lock")],
        stdout=subprocess.PIPE,
    )
    assert child.stdout.readline() == b"held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_the_second_run_is_told_of_the_first(tmp_path, holder):
    for _ in range(2):  # and reading who it is does not let it go
        with (
            pytest.raises(RunLockedError) as caught,
            RunLock(tmp_path / "out" / ".cyto" / "lock"),
        ):
            pytest.fail("two runs at once")
    assert caught.value.exit_code == 3
    assert f"another run works in {tmp_path / 'out'}: pid {holder.pid} on host" in str(caught.value)
    assert os.uname().nodename in str(caught.value)
    assert "--output-dir" in caught.value.hint


def test_a_lock_ends_with_its_process(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with RunLock(tmp_path / "out" / ".cyto" / "lock"):
        pass


def test_a_lock_can_be_taken_again(tmp_path):
    path = tmp_path / "out" / ".cyto" / "lock"
    for _ in range(2):
        with RunLock(path):
            assert json.loads(path.read_text())["pid"] == os.getpid()
        assert path.read_text() == "", "nobody holds it, nobody is named"


def test_a_record_is_read_back_in_its_order(tmp_path):
    heard = []
    record = RunRecord(tmp_path / "deep" / "events.jsonl", (heard.append,))
    record.write("run_started", run="r", text='é\n"')
    record.write("node_started", node="a")
    record.close()
    events = list(read_events(tmp_path / "deep" / "events.jsonl"))
    assert events == heard
    assert [e["event"] for e in events] == ["run_started", "node_started"]
    assert events[0]["text"] == 'é\n"'
    assert events[0]["time"] <= events[1]["time"]


@pytest.mark.parametrize("torn", ['{"event": "half', '{"event": "whole", "time": 1}', "\0\0", "{"])
def test_a_last_line_that_was_cut_is_left_out(torn, tmp_path):
    path = tmp_path / "events.jsonl"
    record = RunRecord(path)
    record.write("one")
    record.close()
    with path.open("a") as file:
        file.write(torn)
    assert [e["event"] for e in read_events(path)] == ["one"]


def test_a_record_is_written_by_many_threads(tmp_path):
    record = RunRecord(tmp_path / "e.jsonl")
    threads = [
        threading.Thread(
            target=lambda i=i: [record.write("x", n=i, pad="p" * 500) for _ in range(50)]
        )
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record.close()
    events = list(read_events(tmp_path / "e.jsonl"))
    assert sorted(e["n"] for e in events) == sorted(list(range(8)) * 50)


ONE, TWO = Source(name="tcell"), Source(name="seg", key="label")


@pytest.mark.parametrize(
    ("contexts", "merged"),
    [
        ({}, {}),
        ({ONE: {}}, {}),
        ({ONE: {"pixel_size_um": 0.5, "channel": "tcell"}},
         {"pixel_size_um": 0.5, "channel": "tcell"}),
        ({ONE: {"pixel_size_um": 0.5}, TWO: {}}, {"pixel_size_um": 0.5}),
        ({ONE: {"pixel_size_um": 0.5}, TWO: {"pixel_size_um": 0.5, "frame_interval_s": 60}},
         {"pixel_size_um": 0.5, "frame_interval_s": 60}),
        ({ONE: {"channel": "a"}, TWO: {"channel": "b"}}, {}),
        ({ONE: {"channel": "a"}, TWO: {"channel": "a"}}, {"channel": "a"}),
        ({ONE: {"other": 1}}, {}),
        ({ONE: {"pixel_size_um": 1}, TWO: {"pixel_size_um": 1.0}}, {"pixel_size_um": 1}),
    ],
)  # fmt: skip
def test_calibrations_are_joined(contexts, merged):
    assert merge_context("node", contexts) == merged


@pytest.mark.parametrize("key", ["pixel_size_um", "frame_interval_s"])
def test_calibrations_that_differ(key):
    with pytest.raises(TaskInputError) as caught:
        merge_context("features", {ONE: {key: 0.5}, TWO: {key: 0.65}})
    assert f"its inputs differ in {key}: tcell 0.5, seg.label 0.65" in str(caught.value)
    assert caught.value.task == "features"
    assert f"write {key} at the pipeline's top" in caught.value.hint
