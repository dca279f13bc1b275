"""The shipped pipelines, run by the program itself on real and simulated input."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scores import score

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
    sets = [
        part
        for name in ("tcell", "cancer", "death")
        for part in ("--set", f"channels.{name}.path={sample / name}.ome.tif")
    ]
    out = cyto("quickstart", "--profile", "local", *sets)
    for name, truth in (("tcell", assay.tcell_labels), ("cancer", assay.cancer_labels)):
        labels = tifffile.imread(out / f"{name}_segmentation" / "label.ome.tif")
        scores = [score(t, f) for t, f in zip(truth, labels, strict=True)]
        matched = sum(s.matched for s in scores)
        assert 2 * matched >= 0.9 * sum(s.true + s.found for s in scores)
        table = np.genfromtxt(
            out / f"{name}_features" / "dataframe.csv", delimiter=",", names=True, encoding="utf-8"
        )
        assert len(table) == sum(s.found for s in scores)
