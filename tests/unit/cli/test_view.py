"""What ``cyto view`` shows, and what it says where it cannot."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest

from cyto.core.request import Ref
from cyto.engine.runs import find_run
from cyto.report.layers import Layer, calibrated, collect_layers, hidden_below, track_rows
from cyto.runners import exchange

TASKS = '''
import numpy as np
import pandas as pd
from cyto.task import PipelineTask, Port

class Blur(PipelineTask):
    """Do nothing."""
    inputs = {"image": Port("image")}
    outputs = {"image": Port("image")}
    def run_baremetal(self, data):
        return {"image": data["image"]}

class Cells(PipelineTask):
    """Two cells."""
    inputs = {"image": Port("image")}
    outputs = {"label": Port("label"), "count": Port("value")}
    def run_baremetal(self, data):
        label = np.zeros(data["image"].shape, np.uint8)
        label[:, 1, 1], label[:, 5, 6] = 1, 2
        return {"label": label, "count": 2}

class Track(PipelineTask):
    """Two tracks, and labels by track."""
    inputs = {"label": Port("label")}
    outputs = {"label": Port("label"), "dataframe": Port("dataframe"), "other": Port("dataframe")}
    def run_baremetal(self, data):
        label = data["label"]
        rows = [{"track_id": k, "frame": t, "label": k, "y": 4.0 * k - 3, "x": 5.0 * k - 4}
                for t in range(len(label)) for k in (1, 2)]
        table = pd.DataFrame(rows)
        return {"label": label, "dataframe": table, "other": table[["frame", "label"]]}

class Speed(PipelineTask):
    """The same tracks with one column more."""
    inputs = {"dataframe": Port("dataframe")}
    outputs = {"dataframe": Port("dataframe")}
    def run_baremetal(self, data):
        return {"dataframe": data["dataframe"].assign(speed=1.0)}
'''
PIPELINE = """
channels: {tcell: {path: movie.tif, pixel_size_um: 0.5, frame_interval_s: 60}}
tasks:
  speed: {module: MODULE.Speed, inputs: {dataframe: track.dataframe}}
  track: {module: MODULE.Track, inputs: {label: cells.label}}
  cells: {module: MODULE.Cells, inputs: {image: blur.image}}
  blur: {module: MODULE.Blur, inputs: {image: tcell}}
"""


@pytest.fixture
def movie(project, call):
    project.tasks(TASKS)
    project.pixels = project.image("movie.tif")
    assert call("run", project.write(PIPELINE)).code == 0
    return project


def test_layers_of_a_run(movie):
    view = collect_layers(find_run(str(movie / "output")))
    assert view.lacking == ()
    assert [(layer.kind, layer.name, layer.visible) for layer in view.layers] == [
        ("image", "tcell", True),
        ("image", "blur.image", False),
        ("labels", "cells.label", False),
        ("labels", "track.label", True),
        ("tracks", "track.dataframe", True),
    ]
    assert {layer.scale for layer in view.layers} == {(60.0, 0.5, 0.5)}
    assert {layer.units for layer in view.layers} == {("s", "µm", "µm")}
    np.testing.assert_array_equal(exchange.load(view.layers[0].ref), movie.pixels)
    assert exchange.load(view.layers[3].ref).max() == 2
    rows, graph = track_rows(exchange.load(view.layers[4].ref))
    assert rows[:2].tolist() == [[1, 0, 1, 1], [1, 1, 1, 1]]
    assert graph == {}


@pytest.mark.parametrize(("unit", "shown"), [("µm", "tcell"), ("px", "half.image")])
def test_channels_in_um_do_not_lie_under_labels_in_px(unit, shown):
    """Where rows were left out, no pixel size is known any more."""
    ref, made = Ref("image", "npy"), {"node": "half"}
    units = ("frame", unit, unit)
    layers = [
        Layer(kind="image", name="tcell", ref=ref, units=("frame", "µm", "µm")),
        Layer(kind="image", name="half.image", ref=ref, units=units, metadata=made),
        Layer(kind="labels", name="half.label", ref=ref, units=units, metadata=made),
    ]
    visible = [layer.name for layer in hidden_below(layers) if layer.visible]
    assert visible == [shown, "half.label"]


def test_what_is_gone_is_said_and_the_rest_shown(movie, call):
    (movie / "movie.tif").unlink()
    answer = call("view", movie / "output", "--json")
    assert answer.code == 0
    names = [layer["name"] for layer in json.loads(answer.out)]
    assert names == ["blur.image", "cells.label", "track.label", "track.dataframe"]
    assert json.loads(answer.out)[0]["visible"], "there is no channel over which it would lie"
    assert "warning: not shown: channel 'tcell': no such file" in answer.err


def test_nothing_to_look_at(lab, call):
    assert call("run", lab.write("tasks: {w: {module: MODULE.WrongRank}}")).code == 1
    answer = call("view", lab / "output")
    assert answer.code == 3
    assert "there is nothing to look at" in answer.err
    assert "no node made an image" in answer.err


def test_one_sample_of_several(lab, call):
    for name in ("w1", "w2"):
        lab.image(f"{name}.tif", (2, 4, 4))
    lab.image("dark.tif", (2, 4, 4))
    lab.write(
        "samples: [w1, w2]\nchannels: {m: '{sample}.tif', dark: dark.tif}\n"
        "tasks: {scale: {module: MODULE.Scale, inputs: {image: m}}, "
        "base: {module: MODULE.Scale, inputs: {image: dark}}}\n"
    )
    assert call("run", lab.pipeline).code == 0

    def names(*options):
        return [e["name"] for e in json.loads(call("view", lab / "output", "--json", *options).out)]

    assert names() == ["w1/m", "dark", "w1/scale.image", "base.image"]
    assert names("--sample", "w2")[0] == "w2/m"
    answer = call("view", lab / "output", "--sample", "w9")
    assert answer.code == 2
    assert "there is no sample 'w9'" in answer.err


def test_without_napari_it_says_how_to_get_it(movie, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "napari", None)
    answer = call("view", movie / "output")
    assert answer.code == 3
    assert "pip install 'pycyto[view]'" in answer.err


@pytest.mark.filterwarnings("default")
def test_napari_takes_the_layers(movie, monkeypatch):
    components = pytest.importorskip("napari.components")
    from cyto.report import viewer

    class Headless:
        Viewer = components.ViewerModel

    monkeypatch.setattr(viewer, "_napari", lambda: Headless)
    view = collect_layers(find_run(str(movie / "output")))
    shown = viewer.open_viewer(view, "a run", exchange.load).layers
    assert [type(layer).__name__ for layer in shown] == [
        "Image",
        "Image",
        "Labels",
        "Labels",
        "Tracks",
    ]
    assert [layer.name for layer in shown] == [layer.name for layer in view.layers]
    assert {tuple(layer.scale) for layer in shown} == {(60.0, 0.5, 0.5)}
    assert [str(unit) for unit in shown[0].units] == ["second", "micrometer", "micrometer"]
    np.testing.assert_array_equal(shown["tcell"].data, movie.pixels)


def test_tracks_as_napari_has_them():
    table = pd.DataFrame(
        {
            "track_id": [2, 1, 2, 3, -1, 4, 1],
            "frame": [2, 1, 1, 2, 0, 0, 0],
            "y": [1.0, 2.0, 3.0, 4.0, 5.0, np.nan, 6.0],
            "x": [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5],
            "parent_track_id": [1, -1, 1, 4, -1, -1, -1],
        }
    )
    rows, graph = track_rows(table)
    assert rows.tolist() == [
        [1, 0, 6, 7.5], [1, 1, 2, 2.5], [2, 1, 3, 3.5], [2, 2, 1, 1.5], [3, 2, 4, 4.5]
    ]  # fmt: skip
    assert graph == {2: [1]}, "track 4 has no place, so it cannot be a parent"
    empty, graph = track_rows(table.iloc[:0])
    assert (empty.shape, graph) == ((0, 4), {})


def test_scale_where_little_is_known():
    assert calibrated({}) == ((1.0, 1.0, 1.0), ("frame", "px", "px"))
    assert calibrated({"pixel_size_um": 0.5}) == ((1.0, 0.5, 0.5), ("frame", "µm", "µm"))


def test_tracks_of_stage_based_pipelines():
    """They have px in ``i`` and ``j``; ``x`` and ``y`` are in the unit of their spacing."""
    table = pd.DataFrame(
        {
            "label": [1, 2, 1], "frame": [0, 0, 1], "TrackID": [0.0, np.nan, 0.0],
            "y": [5.0, 6.0, 7.0], "x": [1.0, 2.0, 3.0], "j": [10.0, 12, 14], "i": [2.0, 4, 6],
        }
    )  # fmt: skip
    rows, graph = track_rows(table)
    assert rows.tolist() == [[0, 0, 10, 2], [0, 1, 14, 6]]
    assert graph == {}
