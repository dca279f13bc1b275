"""What people read of a run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cyto.engine.outcomes import Finding, NodeReport, Outcome, RunReport
from cyto.report.follow import LogFollower
from cyto.report.terminal import RunPrinter, print_report


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def text(console):
    return console.file.getvalue()


NODES = {
    "seg": {"environment": "docker", "image": "x[1]:latest"},
    "table": {"environment": "baremetal"},
}
EVENTS = [
    {"event": "run_started", "run": "r1", "nodes": NODES, "profile": "hybrid",
     "profile_reason": "--profile", "output_dir": "/out [a]"},
    {"event": "node_started", "node": "seg"},
    {"event": "attempt_failed", "node": "seg", "attempt": 0, "message": "no [luck]"},
    {"event": "node_started", "node": "seg"},
    {"event": "node_finished", "node": "seg", "outcome": "succeeded", "message": "", "wall_s": 2},
    {"event": "node_finished", "node": "table", "outcome": "failed", "message": "list[0] is odd",
     "wall_s": 0},
    {"event": "something_new"},
]  # fmt: skip


def test_plain_lines(console):
    with RunPrinter(console) as printer:
        for event in EVENTS:
            printer(event)
    assert text(console).splitlines() == [
        "run r1: 2 nodes, profile hybrid (--profile), output in /out [a]",
        "  > seg: started on docker x[1]:latest",
        "  ! seg: attempt 1: no [luck]",
        "  > seg: started on docker x[1]:latest",
        "[1/2] ✓ seg: succeeded in 2.0 s",
        "[2/2] ✗ table: failed: list[0] is odd",
    ]


def test_live_on_a_terminal():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with RunPrinter(console) as printer:
        for event in EVENTS:
            printer(event)
        printer.say("seg", "[bold]not markup[/bold]")
    said = text(console)
    assert "table: failed: list[0] is odd" in said
    assert "[bold]not markup[/bold]" in said


def report(*nodes, **kwargs):
    return RunReport(
        run_id="r", output_dir=Path("/out"), nodes={n.node: n for n in nodes}, **kwargs
    )


FINE = NodeReport(
    node="seg",
    outcome=Outcome.SUCCEEDED,
    peak_bytes=3 << 30,
    findings=(Finding(key="label", path="/out/seg/label.ome.tif", text="24 frames"),),
)
BAD = NodeReport(
    node="bad", outcome=Outcome.FAILED, message="KeyError: [x]", log="/out/logs/bad.log"
)
LOST = NodeReport(node="lost", outcome=Outcome.SKIPPED, message="needs bad, which failed")


def test_tables(console):
    print_report(console, report(FINE, BAD, LOST, wall_s=200))
    said = text(console)
    for part in ("seg", "24 frames", "Failed", "KeyError: [x]", "/out/logs/bad.log"):
        assert part in said
    assert "  /out/seg/label.ome.tif\n" in said, "alone in its line, to be copied"
    assert said.splitlines()[-1].endswith(
        " in 3 min 20 s: 1 succeeded, 1 failed, 1 skipped, at most 3 GiB in one node."
    )
    assert "Done" not in said


def test_nothing_left_to_do(console):
    done = NodeReport(node="seg", outcome=Outcome.CACHED, peak_bytes=5)
    print_report(console, report(done))
    assert text(console) == "Nothing was left to do: all 1 nodes were done before.\n"


def test_stopped(console):
    stopped = NodeReport(node="seg", outcome=Outcome.CANCELLED)
    print_report(console, report(stopped, stopped=True, wall_s=1))
    assert text(console) == "Stopped in 1.0 s: 1 cancelled.\n"


@pytest.mark.parametrize(
    ("outcomes", "stopped", "code"),
    [
        ([Outcome.SUCCEEDED, Outcome.CACHED], False, 0), ([Outcome.FAILED], False, 1),
        ([Outcome.SUCCEEDED, Outcome.SKIPPED], False, 1), ([Outcome.CANCELLED], False, 1),
        ([Outcome.CANCELLED], True, 130), ([], False, 0),
    ],
)  # fmt: skip
def test_exit_codes(outcomes, stopped, code):
    nodes = [NodeReport(node=str(i), outcome=o) for i, o in enumerate(outcomes)]
    assert report(*nodes, stopped=stopped).exit_code == code


def test_paths_below_here_are_shown_short(console, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = Finding(key="label", path=str(tmp_path / "out/label.tif"), text="x")
    print_report(console, report(NodeReport(node="a", outcome=Outcome.CACHED, findings=(found,))))
    assert "out/label.tif" in text(console)
    assert str(tmp_path) not in text(console)


@pytest.fixture
def heard():
    return []


@pytest.fixture
def follower(heard):
    with LogFollower(lambda node, line: heard.append((node, line))) as follower:
        yield follower


def test_a_log_is_shown_while_it_grows(tmp_path, follower, heard, wait_for):
    log = tmp_path / "seg.log"
    follower({"event": "node_started", "node": "seg", "log": str(log)})
    with log.open("wb", buffering=0) as file:
        file.write(b"first\nsecond ")
        wait_for(lambda: heard == [("seg", "first")], "the first line")
        file.write("half é\n".encode())
        wait_for(lambda: len(heard) == 2, "the second")
        assert heard[1] == ("seg", "second half é")
        file.write(b" 1%\r 50%\r100%\nlast without an end")
    follower({"event": "node_finished", "node": "seg"})
    assert heard[2:] == [("seg", "100%"), ("seg", "last without an end")]


def test_a_character_that_comes_in_two_parts(tmp_path, follower, heard, wait_for):
    log = tmp_path / "seg.log"
    follower({"event": "node_started", "node": "seg", "log": str(log)})
    with log.open("wb", buffering=0) as file:
        file.write(b"one\n\xc3")
        wait_for(lambda: heard, "the first line")
        file.write(b"\xa9\n")
    follower({"event": "node_finished", "node": "seg"})
    assert heard == [("seg", "one"), ("seg", "é")]


def test_many_nodes_and_logs_that_are_not_there(tmp_path, follower, heard):
    for name in "ab":
        (tmp_path / name).write_text(f"from {name}\n")
        follower({"event": "node_started", "node": name, "log": str(tmp_path / name)})
    follower({"event": "node_started", "node": "c", "log": str(tmp_path / "nothing")})
    for name in "abc":
        follower({"event": "node_finished", "node": name})
    follower({"event": "node_finished", "node": "unknown"})
    assert sorted(heard) == [("a", "from a"), ("b", "from b")]
