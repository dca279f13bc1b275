"""The benchmarks still run and say what they measured; how fast is theirs to print."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("skimage", reason="the benchmarks need the extra 'tasks'")

FOLDER = Path(__file__).parents[2] / "scripts" / "benchmark"
ROWS = [
    "all features, 1 channel",
    "pairs that touch, with contact length",
    "pairs within 5 px",
    "watershed of one frame",
    "watershed of one frame, cells on half of it",
    "background of one frame, radius 50",
    "drift of one frame, 0.1 px, moved back",
    "tracking 8 × 20",
    "tracking 8 × 60, as dense",
    "tracking 8 × 60 in the same frame",
    "first call in a process, empty cache",
    "first call in a process, cached on disk",
]


def output_of(script, *args):
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def rows():
    return json.loads(output_of("tasks.py", "--quick", "--json"))["rows"]


def test_has_every_row(rows):
    assert [row["row"] for row in rows] == ROWS


def test_numbers_are_finite_and_in_order(rows):
    for row in rows:
        for timing in (row["ours"], *row["references"]):
            assert timing["runs"] == 1
            assert 0 < timing["min_ms"] <= timing["median_ms"] <= timing["max_ms"]
            assert math.isfinite(timing["max_ms"])
        for reference in row["references"]:
            assert 0 < reference["faster"] < math.inf


def test_what_is_compared_does_the_same_work(rows):
    features, touching, near = rows[:3]
    for row in (features, touching, near):
        first_words = {timing["found"].split()[0] for timing in (row["ours"], *row["references"])}
        assert len(first_words) == 1, row
    assert features["ours"]["found"].startswith("20 cells")
    assert near["ours"]["found"] != "0 pairs"


def test_prints_a_table():
    lines = output_of("tasks.py", "--quick").splitlines()
    assert all(any(line.startswith(row) for line in lines) for row in ROWS)


@pytest.mark.parametrize("script", ["tasks.py", "overhead.py"])
def test_explains_itself(script):
    assert "--runs" in output_of(script, "--help")


def test_refuses_no_runs():
    done = subprocess.run(
        [sys.executable, str(FOLDER / "tasks.py"), "--runs", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--runs must be at least 1" in done.stderr
