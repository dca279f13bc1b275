"""A run read from its record."""

from __future__ import annotations

import json
import shutil

import pytest

from cyto.core.layout import RunLayout
from cyto.engine.view import read_view
from cyto.errors import UnavailableError


def begun(node, attempt=0, **more):
    return {"node": node, "attempt": attempt, "job": f"/jobs/{node}", "log": "", "worker": "w1",
            "gpus": [], **more}  # fmt: skip


def test_attempts_follow_each_other(recorded):
    recorded.start({"a": recorded.node()})
    recorded.write("node_started", **begun("a"))
    recorded.write("attempt_failed", node="a", attempt=0, message="no luck")
    recorded.write("node_started", **begun("a", 1))
    recorded.finish("a")
    recorded.end()
    node = recorded.view().nodes["a"]
    assert [(span.attempt, span.ok) for span in node.spans] == [(0, False), (1, True)]
    assert node.spans[0].end == node.spans[1].begin
    assert (node.attempts, node.state) == (["no luck"], "succeeded")


def test_chunks_are_spans_with_their_frames(recorded):
    recorded.start({"a": recorded.node()})
    recorded.write("node_split", node="a", chunks=3, left=2)
    for chunk in (1, 2):
        recorded.write("chunk_started", **begun("a", chunk=chunk))
    ended = {"node": "a", "reason": "", "message": "", "wall_s": 1, "cpu_s": 1, "peak_bytes": 1}
    recorded.write("chunk_finished", chunk=2, frames=[8, 12], **ended)
    view = recorded.view()
    node = view.nodes["a"]
    assert (node.done, node.total) == (2, 3)
    assert [(s.chunk, s.frames, s.end is None) for s in node.spans] == [
        (1, None, True), (2, (8, 12), False),
    ]  # fmt: skip


def test_work_on_a_cluster_is_known_by_its_end(recorded):
    recorded.start({"a": recorded.node(launcher="slurm")})
    recorded.write(
        "submitted", nodes=["a"], job="7", elements=1, requests=1, script="/out/submit.sh"
    )
    recorded.write(
        "job_finished", node="a", reason="", wall_s=5.0, cpu_s=1.0, peak_bytes=1, slurm_job="7",
        host="n3", folder="/jobs/a",
    )  # fmt: skip
    recorded.finish("a")
    recorded.end()
    node = recorded.view().nodes["a"]
    (span,) = node.spans
    assert span.end is not None
    assert (span.end - span.begin, span.host, span.job) == (pytest.approx(5), "n3", "/jobs/a")
    assert node.jobs == ["7"]


def test_what_a_lost_driver_left_is_called_lost(recorded):
    recorded.start({"a": recorded.node(), "b": recorded.node()})
    recorded.write("node_started", **begun("a"))
    recorded.record.close()
    view = recorded.view()
    assert view.state == "lost"
    assert {name: node.state for name, node in view.nodes.items()} == {"a": "lost", "b": "waiting"}


def test_events_of_later_versions_are_passed_over(recorded):
    recorded.start({"a": recorded.node()})
    recorded.write("something_new", node="a")
    recorded.end(1)
    assert recorded.view().state == "failed"


def test_the_output_folder_may_have_moved(recorded, tmp_path):
    recorded.start({"a": recorded.node()})
    recorded.end()
    shutil.copytree(recorded.output, tmp_path / "elsewhere")
    view = read_view(RunLayout(tmp_path / "elsewhere", recorded.run_id))
    assert view.moved(str(recorded.output / "a" / "x.csv")) == tmp_path / "elsewhere/a/x.csv"
    assert str(view.moved("/data/x.csv")) == "/data/x.csv"


def test_a_record_without_a_beginning_is_an_error(recorded):
    recorded.layout.record.write_text(json.dumps({"event": "node_finished"}) + "\n")
    with pytest.raises(UnavailableError, match="does not say how the run began"):
        recorded.view()
