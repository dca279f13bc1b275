"""The shipped stage-based pipelines on simulated cells: they run, migrate, and agree."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import tifffile
from models import have_cellpose, have_stardist, train_cellpose, train_stardist

from cyto.cli.main import main
from cyto.simulation import simulate_assay, write_sample

LEGACY = Path(__file__).resolve().parents[2] / "pipelines" / "legacy"
NETWORKS = {"cellpose", "stardist"}
FILES = sorted(path for path in LEGACY.glob("*.yaml") if path.stem not in NETWORKS)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work where the pipelines' relative paths lead to a small sample."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CYTO_CACHE", str(tmp_path / "cache"))
    assay = simulate_assay(frames=4, size=(120, 160), tcells=8, cancer_cells=8, seed=2)
    (tmp_path / "pipelines").mkdir()
    write_sample(tmp_path / "pipelines" / "sample", assay)
    return tmp_path


def cyto(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    return int(ended.value.code)


def results(folder: Path) -> dict[str, Path]:
    """Give what a run left for people, by the name inside its output folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    ours = (".cyto/", "logs/", "workflow/", "ro-crate-metadata.json", "report.html")
    return {n: p for n, p in sorted(names.items()) if not n.startswith(ours)}


def assert_same(one: Path, other: Path) -> None:
    """Compare two results by what they hold."""
    if one.suffix == ".tif":
        with tifffile.TiffFile(one) as a, tifffile.TiffFile(other) as b:
            assert a.series[0].axes == b.series[0].axes == "TYX"
            assert a.asarray().dtype == b.asarray().dtype
            np.testing.assert_array_equal(a.asarray(), b.asarray())
    elif one.suffix == ".csv":
        pd.testing.assert_frame_equal(pd.read_csv(one), pd.read_csv(other))
    elif one.suffix == ".adjlist":
        a, b = nx.read_multiline_adjlist(one), nx.read_multiline_adjlist(other)
        assert dict(a.adj) == dict(b.adj)
    else:
        assert one.read_text() == other.read_text()


def run_and_migrate(file: Path, *more: object) -> dict[str, Path]:
    """Run a file, and its migrated form elsewhere with nothing of the first run's store."""
    assert cyto("--pipeline", file) == 0 if not more else cyto("run", file, *more) == 0
    assert cyto("migrate", file, "-o", "new/pipeline.migrated.yaml") == 0
    assert cyto("run", "new/pipeline.migrated.yaml", "-o", "other", *more) == 0
    old = results(Path("pipelines/output/legacy") / file.stem)
    new = results(Path("other"))
    assert sorted(old) == sorted(new)
    assert old
    for name, path in old.items():
        assert_same(path, new[name])
    return old


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_runs_migrates_and_agrees(here, file) -> None:
    found = run_and_migrate(file)
    check = CHECKS.get(file.stem)
    if check is not None:
        check(found)


def stage(kind: str, *names: str) -> list[str]:
    return [f"{kind}/{name}" for name in names]


def check_table(found):
    assert list(found) == stage("tracking", "Alive.csv", "Dead.csv")
    table = pd.read_csv(found["tracking/Alive.csv"])
    truth = pd.read_csv("pipelines/sample/truth/tracks.csv")
    truth = truth[truth.cell_type == "cancer"].sort_values(["frame", "track_id"])
    assert table.label.tolist() == truth.track_id.tolist()
    assert table.frame.tolist() == truth.frame.tolist()
    np.testing.assert_allclose(table.x, truth.x * 0.65, rtol=1e-6)
    np.testing.assert_allclose(table.y, truth.y * 0.65, rtol=1e-6)
    assert set(table.channel) == {"Alive"}


def check_tracks(found):
    assert list(found) == stage("tracking", "TCell.csv", "TCell.xml")
    table = pd.read_csv(found["tracking/TCell.csv"])
    assert list(table)[-1] == "TrackID"
    kept = table.dropna(subset="TrackID")
    assert len(kept) > 0.9 * len(table)
    # labels of the sample are true tracks
    assert (kept.groupby("TrackID").label.nunique() == 1).all()


def check_ratio(found):
    table = pd.read_csv(found["postprocessing/CrossTableOperation/CancerCell.csv"])
    assert list(table)[-2:] == ["mean_divide", "median_divide"]
    assert (table.mean_divide > 0).all()


def check_filter(found):
    table = pd.read_csv(found["postprocessing/FeatureFilter/LargeTCell.csv"])
    assert (table["size"] >= 60).all()


def check_mask(found):
    labels = tifffile.imread(found["segmentation/ImageToLabel/TCellMask.tif"])
    truth = tifffile.imread("pipelines/sample/truth/tcell_labels.ome.tif")
    np.testing.assert_array_equal(labels, truth)


def check_gamma(found):
    assert list(found) == stage("preprocessing/GammaCorrection", "Alive.tif", "TCell.tif")
    image = tifffile.imread("pipelines/sample/cancer.ome.tif") / 65535
    once = np.rint(image**0.5 * 65535)
    expected = np.rint((once / 65535) ** 0.9 * 65535)  # the file holds the second result
    np.testing.assert_array_equal(
        tifffile.imread(found["preprocessing/GammaCorrection/Alive.tif"]), expected
    )


def check_networks(found):
    names = [f"TCellNetwork_{frame:04}.adjlist" for frame in range(4)]
    folder = "postprocessing/CellTriangulation"
    assert set(found) == set(stage(folder, "TCellNetwork.tif", *names))
    for name in names:
        assert nx.is_connected(nx.read_multiline_adjlist(found[f"{folder}/{name}"]))


def check_contacts(found):
    folder = "postprocessing/CrossCellContactMeasures"
    table = pd.read_csv(found[f"{folder}/TCellToCancerCell.csv"])
    assert list(table)[-3:] == ["contact", "contacting cell labels", "closest cell dist"]
    assert len([n for n in found if n.endswith(".adjlist")]) == 8
    both = [nx.read_multiline_adjlist(found[n]) for n in found if "_0000.adjlist" in n]
    ends = [{frozenset(edge) for edge in graph.edges} for graph in both]
    assert ends[0] == ends[1]


def check_whole(found):
    assert {name.partition("/")[0] for name in found} == {
        "preprocessing", "segmentation", "tracking", "postprocessing",
    }  # fmt: skip
    merged = tifffile.imread(found["preprocessing/ChannelMerge/CancerCell.tif"])
    assert merged.shape == (3, 120, 152)
    assert not any(name.endswith("TCellToCancerCell.tif") for name in found)


CHECKS = {
    "label_to_sparse": check_table,
    "trackmate": check_tracks,
    "cross_table_operation": check_ratio,
    "feature_filter": check_filter,
    "image_to_label": check_mask,
    "gamma_correction": check_gamma,
    "cell_triangulation": check_networks,
    "cross_cell_contact_measures": check_contacts,
    "whole_assay": check_whole,
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_those_with_networks_are_valid(here, name) -> None:
    """They run in `tests/services` with models that are trained there."""
    assert cyto("validate", LEGACY / f"{name}.yaml") == 0
    assert cyto("migrate", LEGACY / f"{name}.yaml", "-o", "new/pipeline.migrated.yaml") == 0
    for profile in ("local", "hybrid", "container", "cluster"):
        assert cyto("validate", "new/pipeline.migrated.yaml", "--profile", profile) == 0


@pytest.mark.cellpose
@pytest.mark.skipif(not have_cellpose(), reason="cellpose is not installed here")
def test_cellpose(here) -> None:
    model = train_cellpose(here)
    run_and_migrate(
        LEGACY / "cellpose.yaml", "--set", f"tasks.TCell_CellPose.params.model_type={model}"
    )


@pytest.mark.skipif(not have_stardist(), reason="stardist is not installed here")
def test_stardist(here) -> None:
    model = train_stardist(here)
    run_and_migrate(
        LEGACY / "stardist.yaml", "--set", f"tasks.Alive_StarDist.params.model_name={model}"
    )
