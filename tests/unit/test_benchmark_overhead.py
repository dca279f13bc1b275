"""overhead.py has the issue's rows, runs them, judges by medians, and says what cannot run."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "scripts" / "benchmark"
ROWS = [
    "docker-nodes",
    "apptainer-nodes",
    "bare-nodes",
    "chain",
    "independent",
    "docker-array",
    "apptainer-array",
    "bare-array",
    "framewise",
    "repeated",
    "cellpose",
    "slurm-array",
    "driver-memory",
    "many-nodes",
    "many-nodes-memory",
    "many-chunks",
]
HERE = [
    *("bare-nodes", "chain", "independent", "bare-array", "repeated", "driver-memory"),
    *("many-nodes", "many-nodes-memory", "many-chunks"),
]
"""Rows that run on any Linux machine."""


def overhead(*args, **environ):
    return subprocess.run(
        [sys.executable, str(FOLDER / "overhead.py"), *map(str, args)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Give the output and the numbers of a small run without services."""
    path = tmp_path_factory.mktemp("rows") / "rows.json"
    ended = overhead("--quick", "--peers", "pool", "--rows", *HERE, "--json", path)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, json.loads(path.read_text())


@pytest.fixture
def module(monkeypatch):
    """Import one of the benchmark's modules."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_lists_every_row():
    lines = overhead("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ROWS
    assert all(len(line.split()) > 3 for line in lines)


def test_every_row_was_measured_beside_its_floor(done):
    _, data = done
    assert list(data["rows"]) == HERE
    for name, row in data["rows"].items():
        assert row["beside"], name
        for series in (row["ours"], *row["beside"]):
            assert series["runs"] == 1
            assert 0 < series["min"] <= series["median"] <= series["max"]
    besides = {name: [b["name"] for b in row["beside"]] for name, row in data["rows"].items()}
    assert "process pool, 5 nodes" in besides["chain"]
    assert "ONE raw start with NumPy" in besides["bare-nodes"]
    assert data["provenance"]["cpus"] >= 1


def test_prints_a_table_with_the_aims(done):
    text, data = done
    table = text[text.index("| row |") :].splitlines()
    for row in data["rows"].values():
        (line,) = [line for line in table if line.startswith(f"| {row['title']}")]
        assert line.count("|") == 8
        assert row["aim"] in line


def test_a_row_that_cannot_run_says_why_and_the_rest_goes_on(tmp_path):
    path = tmp_path / "rows.json"
    environ = {"PATH": str(tmp_path)}  # no docker, no apptainer, no Slurm
    names = ["docker-nodes", "apptainer-array", "cellpose", "slurm-array", "bare-array"]
    ended = overhead("--quick", "--rows", *names, "--json", path, **environ)
    assert ended.returncode == 0, ended.stderr
    rows = json.loads(path.read_text())["rows"]
    reasons = [rows[name].get("reason", "") for name in names]
    assert "'docker'" in reasons[0]
    assert "'apptainer'" in reasons[1]
    assert "'docker'" in reasons[2]
    assert "Slurm" in reasons[3]
    assert rows["bare-array"]["ours"]["runs"] == 1
    assert "slurm-array: not run: there is no Slurm here" in ended.stdout


def test_a_peer_that_is_not_installed_is_said(tmp_path):
    path = tmp_path / "rows.json"
    ended = overhead(
        *("--quick", "--peers", "dask", "--rows", "chain", "--json", path),
        CYTO_CACHE=str(tmp_path / "cache"),
    )
    assert ended.returncode == 0, ended.stderr
    missing = json.loads(path.read_text())["rows"]["chain"]["missing"]
    assert missing == {"dask": "not installed; make bench-peers"}


@pytest.mark.parametrize(
    ("aim", "ours", "theirs", "met"),
    [
        ({"limit": 2}, [1, 2, 9], [], True),
        ({"limit": 2}, [1, 3, 9], [], False),
        ({"limit": 1.3, "beside": True}, [12, 13], [10, 10], True),
        ({"limit": 1.3, "beside": True}, [14, 14], [10, 10], False),
        ({"limit": 1.2, "beside": True, "plus": 1}, [13, 13], [10, 10], True),
        ({"limit": 1.85, "faster": True}, [10, 10], [19, 19], True),
        ({"limit": 1.85, "faster": True}, [10, 10], [18, 18], False),
    ],
)
def test_judges_medians(module, aim, ours, theirs, met):
    assert module("bench_rows").Aim(**aim, text="").met(ours, theirs) is met


def test_what_fails_beside_a_row_is_left_out_with_its_reason(module):
    rows = module("bench_rows")

    def fails():
        raise rows.CannotRunError("no such thing")

    row = rows.Row(
        title="t",
        unit="s",
        ours=rows.Entry(name="cyto", run=lambda: 2.0),
        beside=[rows.Entry(name="a", run=fails), rows.Entry(name="b", run=lambda: 1.0)],
        aim=rows.Aim(limit=3, beside=True, text="≤ 3 ×"),
    )
    found = rows.measure(row, 3, lambda: 0.0)
    assert [other["name"] for other in found["beside"]] == ["b"]
    assert found["missing"] == {"a": "no such thing"}
    assert found["met"] is None  # the first beside it is what the aim speaks of


def test_what_is_slow_beside_a_row_is_run_once_unless_the_aim_needs_it(module):
    rows = module("bench_rows")
    clock = iter(range(0, 10_000, 1000))
    slow = rows.Entry(name="slow", run=lambda: 7.0)
    row = rows.Row(title="t", unit="s", ours=rows.Entry(name="c", run=lambda: 2.0), beside=[slow])
    found = rows.measure(row, 3, lambda: next(clock))
    assert (found["ours"]["runs"], found["beside"][0]["runs"]) == (3, 1)
    row = replace(row, aim=rows.Aim(limit=1, beside=True, text="≤ it"))
    found = rows.measure(row, 3, lambda: next(clock))
    assert (found["ours"]["runs"], found["beside"][0]["runs"]) == (3, 3)


@pytest.mark.parametrize("wrong", [["--runs", "0"], ["--rows", "chian"], ["--megabytes", "-1"]])
def test_refuses_what_makes_no_sense(wrong):
    ended = overhead(*wrong)
    assert ended.returncode == 2
    assert wrong[0] in ended.stderr


@pytest.mark.parametrize("shape", ["chain", "independent"])
def test_the_pool_beside_ours_answers(module, shape):
    assert module("bench_peers").time_peer("pool", shape, 3) > 0


def test_a_peer_that_cannot_do_it_says_so(module):
    with pytest.raises(module("bench_rows").CannotRunError, match="knows no containers"):
        module("bench_peers").time_peer("pool", "chain", 3, "docker=x")


def test_every_peer_has_its_script_and_its_version(module):
    for name in module("bench_peers").NAMES:
        assert (FOLDER / "peers" / f"{name}_peer.py").is_file()
        assert "==" in (FOLDER / "peers" / f"{name}.txt").read_text()
