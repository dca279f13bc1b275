"""The tasks that stage-based pipelines need, against plain and slow versions."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops

from cyto.errors import ParameterError, TaskInputError, TaskOutputError
from cyto.io.images import Context
from cyto.io.named import export_named, name_fault
from cyto.postprocessing.contact_measures import CrossCellContactMeasures
from cyto.postprocessing.density import KernelDensityEstimation
from cyto.postprocessing.triangulation import CellTriangulation
from cyto.preprocessing.subsampling import Subsampling
from cyto.runners.exchange import network_from_json, network_to_json
from cyto.simulation import simulate_assay
from cyto.tabulation.sparse import LabelToSparse
from cyto.tracking.lap import LapTracker
from cyto.tracking.trackmate import TrackMate

COLUMNS = [
    "label", "y", "x", "bbox_xstart", "bbox_ystart", "bbox_xsize", "bbox_ysize", "i", "j",
    "bbox_istart", "bbox_jstart", "bbox_isize", "bbox_jsize", "size", "elongation", "flatness",
    "roundness", "feret_diameter", "feret_radius", "perimeter", "mass", "mean", "median", "sd",
    "frame", "channel", "alive",
]  # fmt: skip


@pytest.fixture(scope="module")
def assay():
    return simulate_assay(frames=4, size=(140, 200), tcells=8, cancer_cells=8, seed=4)


def table_of(labels, image, **params):
    return LabelToSparse(**params)({"label": labels, "image": image})["dataframe"]


def test_the_table_has_the_old_columns_and_what_the_masks_hold(assay):
    table = table_of(assay.cancer_labels, assay.cancer, spacing=[0.5, 0.25], channel="Cancer")
    assert list(table) == COLUMNS
    assert set(table.channel) == {"Cancer"}
    assert table.alive.isna().all()
    rows = iter(table.itertuples())
    for frame, (label, image) in enumerate(zip(assay.cancer_labels, assay.cancer, strict=True)):
        for cell in regionprops(label, image):
            row, (j, i) = next(rows), cell.centroid
            top, left, bottom, right = cell.bbox
            values = image[label == cell.label]
            assert (row.label, row.frame) == (cell.label, frame)
            assert (row.i, row.j) == pytest.approx((i, j))
            assert (row.x, row.y) == pytest.approx((i * 0.5, j * 0.25))
            assert (row.bbox_istart, row.bbox_jstart) == (left, top)
            assert (row.bbox_isize, row.bbox_jsize) == (right - left, bottom - top)
            assert (row.bbox_xstart, row.bbox_ystart) == (left * 0.5, top * 0.25)
            assert (row.bbox_xsize, row.bbox_ysize) == ((right - left) / 2, (bottom - top) / 4)
            assert row.size == pytest.approx(cell.area / 8)
            assert row.perimeter == pytest.approx(cell.perimeter / np.sqrt(8))
            assert row.feret_radius == pytest.approx(row.feret_diameter / 2)
            assert row.mass == pytest.approx(values.sum())
            assert (row.mean, row.median) == pytest.approx((values.mean(), np.median(values)))
            assert row.sd == pytest.approx(values.std())
    assert next(rows, None) is None


def test_the_table_of_nothing_and_of_wrong_things(assay):
    empty = table_of(np.zeros((2, 9, 9), np.uint16), np.zeros((2, 9, 9), np.uint16))
    assert list(empty) == COLUMNS
    assert len(empty) == 0
    with pytest.raises(TaskInputError, match=r"\(4, 140, 200\), the label image \(4, 140, 100\)"):
        table_of(assay.cancer_labels[..., :100], assay.cancer)
    with pytest.raises(ParameterError, match="must be two numbers"):
        LabelToSparse(spacing=[1.0])


@pytest.fixture(scope="module")
def table(assay):
    return table_of(assay.tcell_labels, assay.tcell, spacing=[0.5, 0.5], channel="T")


def test_tracks_are_those_of_the_lap_tracker(assay, table):
    lost = table.drop(table.index[table.frame == 1][:3]).reset_index(drop=True)
    ours = TrackMate(
        linking_max_distance=6, gap_closing_max_distance=8, max_frame_gap=2, spacing=[0.5, 0.5]
    )
    tracked = ours({"dataframe": lost, "image": assay.tcell})
    lap = LapTracker(linking_max_distance=6, gap_closing_max_distance=8, max_frame_gap=2)
    true = lap({"dataframe": lost})["dataframe"]
    found = tracked["dataframe"]
    assert list(found) == [*COLUMNS, "TrackID"]
    single = true.groupby("track_id").track_id.transform("size") == 1
    assert found.TrackID.isna().tolist() == single.tolist()
    pairs = pd.DataFrame({"a": found.TrackID[~single], "b": true.track_id[~single]})
    assert len(pairs.drop_duplicates()) == pairs.a.nunique() == pairs.b.nunique()
    assert sorted(pairs.a.unique()) == list(range(pairs.a.nunique()))
    check_xml(tracked["xml"], found, (4, 140, 200))


@pytest.mark.parametrize(
    ("spacing", "said"),
    [(None, ("pixel", "1.0", "1.0")), ([0.5, 0.25], ("micron", "0.5", "0.25"))],
)
def test_the_file_says_the_unit_that_the_table_has(table, spacing, said):
    # the image is calibrated, which says nothing of the table
    given = {"dataframe": table, "pixel_size_um": 0.7}
    root = ET.fromstring(TrackMate(spacing=spacing)(given)["xml"])  # noqa: S314 - our own
    image = root.find("Settings/ImageData")
    found = root.find("Model").get("spatialunits"), image.get("pixelwidth")
    assert (*found, image.get("pixelheight")) == said


def check_xml(text, table, shape):
    """Follow the file's edges as a reader of TrackMate's format does."""
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert root.tag == "TrackMate"
    model = root.find("Model")
    assert model.get("spatialunits") == "micron"
    spots = {}
    for inside in model.find("AllSpots"):
        for spot in inside:
            assert spot.get("FRAME") == inside.get("frame")
            spots[int(spot.get("ID"))] = spot
    assert len(spots) == int(model.find("AllSpots").get("nspots"))
    for number, row in enumerate(table.itertuples()):
        spot = spots[number]
        assert float(spot.get("POSITION_X")) == row.x
        assert float(spot.get("POSITION_Y")) == row.y
        assert float(spot.get("RADIUS")) == row.feret_radius
        assert int(spot.get("FRAME")) == row.frame
    tracks = {}
    for track in model.find("AllTracks"):
        chain = nx.DiGraph(
            (int(edge.get("SPOT_SOURCE_ID")), int(edge.get("SPOT_TARGET_ID"))) for edge in track
        )
        assert nx.is_weakly_connected(chain)
        assert all(table.frame[a] < table.frame[b] for a, b in chain.edges)
        tracks[float(track.get("TRACK_ID"))] = set(chain)
    wanted = {name: set(rows) for name, rows in table.groupby("TrackID").groups.items()}
    assert tracks == wanted
    shown = [float(track.get("TRACK_ID")) for track in model.find("FilteredTracks")]
    assert shown == sorted(tracks)
    image = root.find("Settings/ImageData")
    assert tuple(int(image.get(key)) for key in ("nframes", "height", "width")) == shape


def test_cells_of_a_size_alone_are_tracked(table):
    low, high = table["size"].quantile([0.2, 0.9])
    found = TrackMate(size_min=low, size_max=high)({"dataframe": table})
    inside = (table["size"] > low) & (table["size"] < high)
    assert found["dataframe"].TrackID[~inside].isna().all()
    assert found["dataframe"].TrackID[inside].notna().sum() > 0
    assert found["xml"].count("<Spot ") == inside.sum()
    with pytest.raises(ParameterError, match="less than size_max"):
        TrackMate(size_min=3, size_max=2)


def test_no_cells_give_no_tracks(table):
    found = TrackMate()({"dataframe": table[:0]})
    assert list(found["dataframe"]) == [*COLUMNS, "TrackID"]
    root = ET.fromstring(found["xml"])  # noqa: S314 - our own
    assert root.find("Model/AllTracks") is not None


@pytest.fixture(scope="module")
def contacts(assay):
    labels = {"label": assay.tcell_labels, "other_label": np.roll(assay.cancer_labels, 7, axis=1)}
    tables = {
        "dataframe": table_of(labels["label"], assay.tcell),
        "other": table_of(labels["other_label"], assay.cancer),
    }
    data = {**labels, **tables}
    return data, CrossCellContactMeasures(names=["T", "C"])(data)


def test_contacts_against_every_pair_of_masks(assay, contacts):
    data, found = contacts
    table, graph = found["dataframe"], found["network"]
    assert list(table) == [*COLUMNS, "contact", "contacting cell labels", "closest cell dist"]
    assert table.contact.any()
    edges = set()
    for row in table.to_dict("records"):
        frame = row["frame"]
        mask = data["label"][frame] == row["label"]
        touched = sorted(set(data["other_label"][frame][mask].tolist()) - {0})
        assert list(row["contacting cell labels"]) == touched
        assert row["contact"] == bool(touched)
        others = data["other"][data["other"].frame == frame]
        away = np.hypot(others.i - row["i"], others.j - row["j"])
        assert row["closest cell dist"] == pytest.approx(away.min())
        edges |= {(f"{frame}:T:{row['label']}", f"{frame}:C:{other}") for other in touched}
    assert {tuple(sorted(edge, reverse=True)) for edge in graph.edges} == edges
    assert graph.number_of_nodes() == len(table) + len(data["other"])
    assert graph.graph["frames"] == 4


def test_contacts_are_drawn_between_centroids(contacts):
    _, found = contacts
    image, graph = found["image"], found["network"]
    assert image.dtype == np.uint8
    assert set(np.unique(image)) == {0, 1}
    reached = np.zeros(image.shape, bool)
    for a, b in graph.edges:
        for end in (graph.nodes[a], graph.nodes[b]):
            place = end["frame"], int(np.rint(end["y"])), int(np.rint(end["x"]))
            assert image[place] == 1
        one, two = graph.nodes[a], graph.nodes[b]
        y, x = np.mgrid[: image.shape[1], : image.shape[2]]
        path = np.array([two["y"] - one["y"], two["x"] - one["x"]])
        along = ((y - one["y"]) * path[0] + (x - one["x"]) * path[1]) / (path @ path)
        nearest = np.clip(along, 0, 1)
        off = np.hypot(y - one["y"] - nearest * path[0], x - one["x"] - nearest * path[1])
        reached[one["frame"]] |= off < 1.5
    assert not image[~reached].any()


def test_a_cell_without_a_row_does_not_count(assay, contacts):
    data, found = contacts
    label = int(found["dataframe"]["contacting cell labels"].explode().dropna().iloc[0])
    fewer = data["other"][data["other"].label != label]
    again = CrossCellContactMeasures(names=["T", "C"])({**data, "other": fewer})["dataframe"]
    assert label not in set(again["contacting cell labels"].explode())
    nobody = CrossCellContactMeasures()({**data, "other": data["other"][:0]})["dataframe"]
    assert not nobody.contact.any()
    assert nobody["closest cell dist"].isna().all()
    with pytest.raises(TaskInputError, match="first population"):
        CrossCellContactMeasures()({**data, "other_label": data["label"][:2]})
    with pytest.raises(ParameterError, match="two different names"):
        CrossCellContactMeasures(names=["T", "T"])


def test_neighbours_are_drawn_and_placed_by_other_columns(assay, table):
    data = {"dataframe": table, "image": assay.tcell}
    found = CellTriangulation(columns=["j", "i"], id_column="label")(data)
    graph, image = found["network"], found["image"]
    plain = table.assign(y=table.j, x=table.i)
    same = CellTriangulation(id_column="label")({"dataframe": plain})["network"]
    assert set(graph.edges) == set(same.edges)
    assert graph.graph["frames"] == 4
    assert image.shape == assay.tcell.shape
    for _, node in graph.nodes(data=True):
        assert image[node["frame"], int(np.rint(node["y"])), int(np.rint(node["x"]))] == 1
    density = KernelDensityEstimation(columns=["j", "i"])(data)["image"]
    again = KernelDensityEstimation()({**data, "dataframe": plain})["image"]
    np.testing.assert_array_equal(density, again)
    for task in (CellTriangulation, KernelDensityEstimation):
        with pytest.raises(ParameterError, match="must be two names"):
            task(columns=["j"])
        with pytest.raises(TaskInputError, match="has no column 'k'"):
            task(columns=["k", "i"])(data)


def test_adjacency_lists_are_read_back(assay, table, tmp_path):
    data = {"dataframe": table[table.frame != 2], "image": assay.tcell}
    graph = CellTriangulation(columns=["j", "i"], id_column="label")(data)["network"]
    graph = network_from_json(network_to_json(graph))
    files = export_named(graph, "network", tmp_path / "n_{frame}.adjlist", Context())
    assert [path.name for path in files] == [f"n_{frame:04}.adjlist" for frame in range(4)]
    for frame, path in enumerate(files):
        read = nx.read_multiline_adjlist(path, nodetype=int)
        labels = set(table.label[table.frame == frame]) if frame != 2 else set()
        assert set(read) == labels
        for a, b, edge in read.edges(data=True):
            assert edge["length_px"] == graph.edges[f"{frame}:{a}", f"{frame}:{b}"]["length_px"]
        inside = [n for n, d in graph.nodes(data=True) if d["frame"] == frame]
        assert read.number_of_edges() == graph.subgraph(inside).number_of_edges()


def test_names_that_adjacency_lists_cannot_hold(tmp_path):
    named = ["T cell:1", "T#cell:1", "T_cell:1", "#", " "]
    graph = nx.Graph(frames=1)
    graph.add_nodes_from((f"0:{name}", {"frame": 0}) for name in named)
    graph.add_edge("0:T cell:1", "0:T_cell:1", frame=0)
    (path,) = export_named(graph, "network", tmp_path / "n_{frame}.adjlist", Context())
    read = nx.read_multiline_adjlist(path)
    assert sorted(read) == ["T_cell:1", "T_cell:1_2", "T_cell:1_3", "_", "__2"]
    assert list(read.edges) == [("T_cell:1", "T_cell:1_3")]


def test_a_network_without_frames_is_no_list_of_frames(tmp_path):
    with pytest.raises(TaskOutputError, match="without a frame"):
        export_named(nx.path_graph(3), "network", tmp_path / "n_{frame}.adjlist", Context())


@pytest.mark.parametrize(
    ("name", "kind", "fault"),
    [
        ("a.tif", "image", ""),
        ("a.png", "label", "must end in .tif or .tiff"),
        ("a.csv", "dataframe", ""),
        ("a.xlsx", "dataframe", "must end in .csv or .parquet"),
        ("a_{frame}.adjlist", "network", ""),
        ("a.adjlist", "network", "needs {frame}"),
        ("a_{frame}.graphml", "network", "which only adjacency lists"),
        ("a.xml", "value", ""),
    ],
)
def test_endings(name, kind, fault):
    assert fault in name_fault(name, kind)
    assert bool(fault) == bool(name_fault(name, kind))


def test_subsampling(assay):
    data = {"image": assay.tcell, "pixel_size_um": 0.5}
    found = Subsampling(step_y=3, step_x=3)(data)
    np.testing.assert_array_equal(found["image"], assay.tcell[:, ::3, ::3])
    assert found["pixel_size_um"] == 1.5
    assert Subsampling(step_y=2)(data)["pixel_size_um"] is None
    assert "pixel_size_um" not in Subsampling(step_y=2)({"image": assay.tcell})
