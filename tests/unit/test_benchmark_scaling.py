"""run_benchmark.py leaves what it promises, and refuses settings that it does not know."""

from __future__ import annotations

import csv
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cyto.errors import ConfigError

pytest.importorskip("skimage", reason="the benchmarks need the extra 'tasks'")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scripts" / "benchmark"
SCRIPT = FOLDER / "run_benchmark.py"
SMALL = """
[run]
workers = [1, 2]
repetitions = 1
[quick.movies]
count = 1
frames = 4
size_px = 96
tcells = 2
cancer_cells = 2
[quick.framewise]
frames = 4
batch_size = 2
"""
STAGES = [
    "preprocessing",
    "segmentation",
    "features",
    "tracking",
    "contacts",
    "postprocessing",
    "assay",
]


def run(*args, cwd=ROOT, **environ):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, args)],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """One small run of every stage; gives its folder."""
    folder = tmp_path_factory.mktemp("a bench")
    config = folder / "small.toml"
    config.write_text(SMALL)
    ended = run("--quick", "--config", config, "--output", folder / "out")
    assert ended.returncode == 0, ended.stderr
    (made,) = (folder / "out").iterdir()
    assert f"results are in {made}" in ended.stdout
    return made


@pytest.fixture
def module(monkeypatch):
    """Import one of the benchmark's modules."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_measures_every_stage_with_every_number_of_workers(done):
    with (done / "measurements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["stage"], int(row["workers"])) for row in rows] == [
        (stage, workers) for stage in STAGES for workers in (1, 2)
    ]
    for row in rows:
        assert 0 < float(row["seconds"]) <= float(row["run_s"])
        assert float(row["task_s"]) > 0
        assert int(row["nodes"]) >= 1


def test_the_whole_assay_is_all_nodes_of_its_movies(done):
    results = json.loads((done / "results.json").read_text())
    nodes = {m["stage"]: m["nodes"] for m in results["measurements"]}
    assert nodes == {
        "preprocessing": 1,
        "segmentation": 1,
        "features": 1,
        "tracking": 2,
        "contacts": 2,
        "postprocessing": 5,
        "assay": 15,
    }


def test_says_where_its_numbers_come_from(done):
    results = json.loads((done / "results.json").read_text())
    facts = results["provenance"]
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"numpy", "scikit-image"} <= set(facts["libraries"])
    assert facts["cpus"] >= 1
    assert facts["memory_gb"] > 0
    assert facts["cpu"]
    assert (facts["image"], facts["image_digest"]) == ("", "")
    assert results["settings"]["movies"]["size_px"] == 96
    assert "quick" not in results["settings"]
    assert [point["workers"] for point in results["summary"]["tracking"]] == [1, 2]


def test_leaves_nothing_but_results(done):
    pytest.importorskip("matplotlib")
    assert {path.name for path in done.iterdir()} == {
        "measurements.csv",
        "results.json",
        "README.md",
        "time.png",
        "time.svg",
        "speedup.png",
        "speedup.svg",
    }
    assert (done / "time.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (done / "speedup.svg").read_text()


def test_the_page_reads_every_stage(done):
    page = (done / "README.md").read_text()
    for stage in STAGES:
        assert len(re.findall(rf"^\| {stage} \|", page, re.MULTILINE)) == 2
        assert re.search(rf"^- {stage}: .+\.$", page, re.MULTILINE)
    assert "N = 1 | N = 2" in page


def test_without_matplotlib_it_says_how_to_get_it(done, tmp_path):
    results = (done / "results.json").read_text()
    (tmp_path / "results.json").write_text(results)
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'matplotlib' else find(name, *a)\n"
    )
    ended = run("--draw", tmp_path, PYTHONPATH=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert "pip install matplotlib" in ended.stderr
    assert "pip install matplotlib" in (tmp_path / "README.md").read_text()
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[containers]\ngpu_siff = ''\n", 2, ["gpu_siff", "did you mean 'gpu_sif'"]),
        ("[container]\ngpu_sif = ''\n", 1, ["container", "did you mean 'containers'?"]),
        ("[run]\n\nlauncher = 'slrum'\n", 3, ["'slrum'", "did you mean 'slurm'?"]),
        ("[run]\nstages = ['trackin']\n", 2, ["'trackin'", "did you mean 'tracking'?"]),
        ("[run]\nworkers = []\n", 2, ["whole numbers such as [1, 2, 4]"]),
        ("[run]\nworkers = [1, 'two']\n", 2, ["whole numbers such as [1, 2, 4]"]),
        ("[run]\nworkers = [4, 2]\n", 2, ["must grow, not [4, 2]"]),
        ("[run]\nworkers = [0, 2]\n", 2, ["at least 1, not 0"]),
        ("[run]\nrepetitions = true\n", 2, ["expected a whole number, not True"]),
        ("[movies]\nframes = '24'\n", 2, ["expected a whole number, not '24'"]),
        ("movies = 3\n", 1, ["expected a section, not 3"]),
        ("[quick.movies]\nframe = 2\n", 2, ["'frame'", "did you mean 'frames'?"]),
        ("[quick.movie]\nframes = 2\n", 1, ["'movie'", "did you mean 'movies'?"]),
    ],
)
def test_a_wrong_setting_is_refused_with_its_line(tmp_path, module, text, line, words):
    config = tmp_path / "mine.toml"
    config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        module("bench_settings").read_settings(config)
    assert str(caught.value).startswith(f"{config}:{line}: ")
    for word in words:
        assert word in str(caught.value)


def test_all_mistakes_are_said_at_once(tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text("[run]\nworker = [1]\nrepetition = 2\n")
    ended = run("--config", config, "--output", tmp_path / "out")
    assert ended.returncode == 2
    assert not (tmp_path / "out").exists()
    assert "'workers'" in ended.stderr
    assert "'repetitions'" in ended.stderr


@pytest.mark.parametrize(
    ("text", "said"), [("[run\n", "is no TOML"), (None, "cannot be read: No such file")]
)
def test_a_file_that_cannot_be_read_is_said(tmp_path, text, said):
    config = tmp_path / "mine.toml"
    if text is not None:
        config.write_text(text)
    ended = run("--config", config)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_sif_that_is_not_there_is_said_with_the_way_to_make_it(tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text('[containers]\ngpu_sif = "no such.sif"\n')
    ended = run("--config", config, "--output", tmp_path / "out", cwd=tmp_path)
    assert ended.returncode == 3
    assert f"there is no {tmp_path / 'no such.sif'}" in ended.stderr
    assert "containers/apptainer/build.sh" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_run_that_cannot_start_leaves_no_folder(tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text(SMALL + '[segmentation]\nmethod = "cellpose"\nmodel = "/no/such/model"\n')
    ended = run("--quick", "--config", config, "--output", tmp_path / "out")
    assert ended.returncode == 3
    assert "CellPose" in ended.stderr
    assert not list((tmp_path / "out").iterdir())


def test_the_example_of_the_docs_is_valid(tmp_path, module):
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    config = tmp_path / "mine.toml"
    config.write_text(example)
    settings = module("bench_settings").read_settings(config)
    assert settings["containers"]["gpu_sif"] == "containers/images/cyto-gpu.sif"
    assert settings["movies"]["frames"] == 24


def test_the_users_file_is_ignored_by_git():
    users = "scripts/benchmark/benchmark.user.toml"
    assert f"/{users}" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_commit_is_known_without_git(module, monkeypatch):
    machine = module("bench_machine")
    known = machine.commit()
    if known["commit"] is None:
        pytest.skip("not a checkout")
    monkeypatch.setattr(machine, "GIT", ("no-such-git",))
    assert machine.commit() == {"commit": known["commit"], "dirty": None}


def test_profiles_say_slurm_and_the_sif(module):
    settings = module("bench_settings").read_settings()
    settings["run"]["launcher"] = "slurm"
    settings["slurm"]["partition"] = "short"
    scaling = module("bench_scaling")
    place = scaling.Container(sif="/x/cyto.sif", python=("pixi", "run", "-e", "gpu", "python"))
    found = scaling.profile(settings, place, workers=4, pieces=10)
    entry = found["long_cancer_segmentation"]
    assert entry["launcher"] == "slurm"
    assert entry["resources"]["partition"] == "short"
    assert entry["resources"]["batch_size"] == 10
    assert entry["resources"]["max_parallel"] == 4
    assert entry["runner"] == "apptainer"
    assert entry["python"] == ["pixi", "run", "-e", "gpu", "python"]
    assert found["default"]["launcher"] == "slurm"
    assert found["default"]["group"] == 3


def test_speedup_and_efficiency_are_medians_over_the_first_number_of_workers(module):
    seconds = {1: [9.0, 12.0, 10.0], 2: [5.0, 4.0, 8.0]}
    measurements = [
        {"stage": "tracking", "workers": n, "seconds": value, "task_s": 9.0, "cpu_s": 9.0}
        for n, values in seconds.items()
        for value in values
    ]
    (line,) = module("bench_reading").points(measurements, {"tracking": 8}).values()
    assert [(p.seconds, p.least, p.most) for p in line] == [(10, 9, 12), (5, 4, 8)]
    assert [p.speedup for p in line] == [1, 2]
    assert [p.efficiency for p in line] == [1, 1]


@pytest.mark.parametrize(
    ("pieces", "seconds", "task_s", "cpu_s", "said"),
    [
        (8, 5.1, 10.0, 10.0, "good"),
        (3, 6.7, 10.0, 10.0, "3 pieces, which 2 workers cannot share evenly"),
        (8, 8.0, 16.0, 10.0, "wait for cores"),
        (8, 8.0, 16.0, 16.0, "compute longer"),
        (8, 8.0, 10.0, 10.0, "workers wait"),
    ],
)
def test_says_what_limits(module, pieces, seconds, task_s, cpu_s, said):
    reading = module("bench_reading")
    measurements = [
        {"stage": "a", "workers": 1, "seconds": 10.0, "task_s": 10.0, "cpu_s": 10.0},
        {"stage": "a", "workers": 2, "seconds": seconds, "task_s": task_s, "cpu_s": cpu_s},
    ]
    (line,) = reading.points(measurements, {"a": pieces}).values()
    assert said in reading.what_limits(line, 2)
    assert reading.what_limits(line, 1).startswith("this machine has 1 core")


def test_explains_itself():
    ended = run("--help")
    assert ended.returncode == 0
    assert "--quick" in ended.stdout
    assert "apptainer exec" in ended.stdout


def test_the_users_file_goes_over_the_defaults(tmp_path, module, monkeypatch):
    settings = module("bench_settings")
    users = tmp_path / "benchmark.user.toml"
    monkeypatch.setattr(settings, "USERS", users)
    assert settings.read_settings()["movies"]["count"] == 8
    users.write_text("[movies]\ncount = 3\n[quick.movies]\nframes = 5\n")
    assert settings.read_settings()["movies"] | {"seed": 0} == {
        "count": 3,
        "frames": 24,
        "size_px": 512,
        "tcells": 50,
        "cancer_cells": 60,
        "seed": 0,
    }
    quick = settings.read_settings(quick=True)
    assert (quick["movies"]["count"], quick["movies"]["frames"]) == (2, 5)
