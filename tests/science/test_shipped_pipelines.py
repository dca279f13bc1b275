"""The shipped pipelines, run by the program itself on real and simulated input."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import lifelines
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import tifffile
from scores import score

from cyto.cli.main import main
from cyto.simulation import simulate_assay, write_sample

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"


@pytest.fixture
def cyto(tmp_path, monkeypatch):
    monkeypatch.setenv("CYTO_CACHE", str(tmp_path / "cache"))

    def run(name: str, *args: str) -> Path:
        program = Path(sysconfig.get_path("scripts")) / "cyto"
        out = tmp_path / "results"
        command = [program, "run", PIPELINES / f"pipeline.{name}.yaml", "-o", out, *args]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return out

    return run


def sets_for(sample: Path) -> list[str]:
    return [
        part
        for name in ("tcell", "cancer", "death")
        for part in ("--set", f"channels.{name}.path={sample / name}.ome.tif")
    ]


def test_nuclei_of_a_real_killing_assay(cyto, shared_data):
    """The shipped pipeline finds 9 of 10 nuclei that experts outlined, and few others."""
    folder = shared_data / "adcc_frame"
    out = cyto(
        "nuclei",
        "--set",
        f"channels.nuclei.path={folder / 'frame.tif'}",
        "--set",
        "channels.nuclei.channel=3",
    )
    found = tifffile.imread(out / "nuclei_segmentation" / "label.ome.tif").squeeze()
    result = score(tifffile.imread(folder / "nuclei_labels.tif"), found)
    assert result.true == 48
    assert result.matched >= 0.9 * result.true
    assert result.found - result.matched <= 0.1 * result.found


@pytest.mark.parametrize("seed", [0, 1])
def test_quickstart_finds_the_simulated_cells(cyto, tmp_path, seed):
    assay = simulate_assay(frames=6, seed=seed)
    sample = tmp_path / "sample"
    write_sample(sample, assay)
    out = cyto("quickstart", "--profile", "local", *sets_for(sample))
    for name, truth in (("tcell", assay.tcell_labels), ("cancer", assay.cancer_labels)):
        labels = tifffile.imread(out / f"{name}_segmentation" / "label.ome.tif")
        scores = [score(t, f) for t, f in zip(truth, labels, strict=True)]
        matched = sum(s.matched for s in scores)
        assert 2 * matched >= 0.9 * sum(s.true + s.found for s in scores)
        table = np.genfromtxt(
            out / f"{name}_features" / "dataframe.csv", delimiter=",", names=True, encoding="utf-8"
        )
        assert len(table) == sum(s.found for s in scores)


COLUMNS = [
    "id",
    "track_id",
    "cell_type",
    "frame",
    "t_s",
    "x_um",
    "y_um",
    "z_um",
    "alive_probability",
    "vel_x",
    "vel_y",
    "vel_z",
    "speed",
    "contact",
    "contact_cell_ids",
    "contact_count",
    "tcell_mean",
    "cancer_mean",
    "death_mean",
]


@pytest.mark.parametrize("seed", [0, 3])
def test_the_killing_assay_finds_who_killed_whom(cyto, tmp_path, seed):
    """From camera images to kills, against the simulation's truth."""
    assay = simulate_assay(seed=seed)
    sample = tmp_path / "sample"
    write_sample(sample, assay)
    out = cyto("killing_assay", *sets_for(sample))

    true = assay.deaths.merge(
        assay.tracks[["track_id", "frame", "y", "x"]], on=["track_id", "frame"]
    )
    killers = assay.tracks.set_index(["track_id", "frame"])[["y", "x"]]
    tracks = pd.read_csv(out / "tcell_kinematics" / "dataframe.csv")
    ours = tracks.set_index(["track_id", "frame"])[["y", "x"]]
    found = pd.read_csv(out / "kills" / "dataframe.csv")
    timely, right = 0, 0
    for death in true.itertuples():
        near = found[np.hypot(found.y - death.y, found.x - death.x) < 8]
        near = near[(near.frame - death.frame).abs() <= 1]
        timely += len(near) == 1
        if len(near) != 1:
            continue
        killer, frame = int(near.killer.iloc[0]), int(near.frame.iloc[0])
        if death.killer == -1 or killer == -1:
            right += death.killer == killer
        else:  # the same T cell, by where it is
            there = killers.loc[(death.killer, frame)] - ours.loc[(killer, frame)]
            right += float(np.hypot(*there)) < 6
    assert len(true) >= 3
    assert timely >= 0.95 * len(true)
    assert right >= 0.8 * len(true)
    assert len(found) <= len(true) + 1

    table = pd.read_csv(out / "result_table" / "dataframe.csv")
    assert set(COLUMNS) <= set(table.columns)
    dictionary = pd.read_csv(out / "result_table" / "dictionary.csv")
    assert set(dictionary.column) == set(table.columns)
    curve = pd.read_csv(out / "survival" / "dataframe.csv")
    assert curve.survival.is_monotonic_decreasing
    assert curve.deaths.sum() == len(found)
    network = nx.read_graphml(out / "contacts" / "network.graphml")
    assert network.number_of_edges() > 0


def test_survival_by_treatment_over_samples(cyto, tmp_path):
    """Four simulated movies: the curve of each treatment is that of its cells pooled."""
    samples = tmp_path / "samples"
    with pytest.raises(SystemExit) as ended:
        main(["sample", str(samples), "--samples", "4", "--frames", "16", "--seed", "5"])
    assert ended.value.code == 0
    sets = [f"samples={samples / 'samples.csv'}"]
    sets += [f"channels.{c}={samples}/{{sample}}/{c}.ome.tif" for c in ("cancer", "death")]
    out = cyto("samples", *(part for each in sets for part in ("--set", each)))
    names = ["control_1", "treated_1", "control_2", "treated_2"]
    assert pd.read_csv(samples / "samples.csv")["sample"].tolist() == names

    tables = {name: pd.read_csv(out / name / "cancer_death" / "dataframe.csv") for name in names}
    ids = [set(table.track_id) for table in tables.values()]
    assert set.intersection(*ids), "the same ids stand for other cells in each"
    curve = pd.read_csv(out / "survival" / "dataframe.csv")
    for treatment in ("control", "treated"):
        frames, died = [], []
        for name in names:
            for _, cell in tables[name].groupby("track_id") if treatment in name else []:
                dead = cell[~cell.alive].frame
                end = dead.min() if len(dead) else cell.frame.max()
                if end > cell.frame.min() or not len(dead):
                    frames.append(end - cell.frame.min())
                    died.append(len(dead) > 0)
        fitted = lifelines.KaplanMeierFitter().fit(frames, died)
        ours = curve[curve.group == treatment]
        assert ours.frames.tolist() == fitted.survival_function_.index.tolist()
        np.testing.assert_allclose(ours.survival, fitted.survival_function_.iloc[:, 0], rtol=1e-12)

    summary = pd.read_csv(out / "survival" / "summary.csv").set_index("group")
    true = dict.fromkeys(summary.index, 0)
    for name in names:
        true[name.partition("_")[0]] += len(pd.read_csv(samples / name / "truth" / "deaths.csv"))
    assert true["treated"] > 3 * true["control"] + 3
    for treatment, deaths in true.items():
        assert abs(summary.deaths[treatment] - deaths) <= 1
    comparison = pd.read_csv(out / "survival" / "comparison.csv")
    assert comparison.p_value.item() < 0.01
