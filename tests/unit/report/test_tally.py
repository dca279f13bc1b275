"""A run of many samples in few lines."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cyto.engine.outcomes import Finding, NodeReport, Outcome, RunReport
from cyto.report.terminal import RunPrinter, print_report

SAMPLES = [f"s{i}" for i in range(96)]
NODES = [*(f"{s}/{n}" for n in ("seg", "table") for s in SAMPLES), "all"]


def finished(node, outcome="succeeded", message=""):
    event = {"event": "node_finished", "node": node, "outcome": outcome, "message": message}
    return {**event, "wall_s": 1.0}


def events():
    yield {
        "event": "run_started", "run": "r1", "profile": "local", "profile_reason": "x",
        "output_dir": "/out", "nodes": {n: {"environment": "baremetal"} for n in NODES},
        "samples": {s: {} for s in SAMPLES},
    }  # fmt: skip
    for sample in SAMPLES:
        yield {"event": "node_started", "node": f"{sample}/seg"}
        bad = sample == "s7"
        yield finished(f"{sample}/seg", "failed" if bad else "succeeded", "no luck" if bad else "")
        if bad:
            yield finished("s7/table", "skipped", "needs s7/seg, which failed")
    for sample in SAMPLES[:7] + SAMPLES[8:]:
        yield finished(f"{sample}/table", "cached")
    yield finished("all", message="without 1 of 96 samples: s7")


@pytest.mark.parametrize("live", [False, True])
def test_sums_and_single_failures(live):
    console = Console(file=io.StringIO(), width=200, force_terminal=live)
    with RunPrinter(console) as printer:
        for event in events():
            printer(event)
    said = console.file.getvalue()
    if live:
        assert "s7/seg: failed: no luck" in said
        return
    lines = said.splitlines()
    assert lines[0].startswith("run r1: 96 samples, 193 nodes, profile local")
    assert "  ✗ s7/seg: failed: no luck" in lines
    assert "[97/193] seg 95/96: 95 succeeded, 1 failed" in lines
    assert "[192/193] table 95/96: 1 skipped, 95 cached" in lines
    assert "  ✓ all: succeeded: without 1 of 96 samples: s7" in lines
    assert lines[-1] == "[193/193] all 1/1: 1 succeeded"
    assert len(lines) < 20


def test_the_report_sums_what_was_found():
    def node(sample):
        path = f"/out/{sample}/seg/label.ome.tif"
        found = Finding(key="label", path=path, text=f"{sample}: 24 frames")
        return NodeReport(node=f"{sample}/seg", outcome=Outcome.SUCCEEDED, findings=(found,))

    bad = NodeReport(node="x/seg", outcome=Outcome.FAILED, message="no luck", log="/out/x.log")
    curve = Finding(key="dataframe", path="/out/all/dataframe.csv", text="3 rows")
    facts = {"lacking": ["x"]}
    joined = NodeReport(
        node="all", outcome=Outcome.SUCCEEDED, findings=(curve,), facts=facts,
        message="without 1 of 97 samples: x",
    )  # fmt: skip
    nodes = {n.node: n for n in [*map(node, SAMPLES), bad, joined]}
    console = Console(file=io.StringIO(), width=200)
    print_report(console, RunReport(run_id="r", output_dir=Path("/out"), nodes=nodes))
    said = console.file.getvalue()
    assert "96 samples; s0: s0: 24 frames" in said
    assert "  /out/*/seg/label.ome.tif\n" in said
    assert "  /out/all/dataframe.csv\n" in said
    assert "no luck" in said
    assert "all was made without 1 of 97 samples: x\n" in said
    assert len(said.splitlines()) < 25
