"""Pictures: the pixels of the frames that are shown."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cyto.report import _movies
from cyto.report._movies import make_movies
from cyto.runners import exchange


@pytest.fixture
def movies(recorded):
    def make():
        view = recorded.view()
        return make_movies(view, recorded.details(view))

    return make


def picture(layer, place):
    return Image.open(io.BytesIO(base64.b64decode(layer["data"][place])))


def read_channel(recorded, name, movie):
    folder = recorded.output / "channels" / name
    folder.mkdir(parents=True)
    ref = exchange.save(movie, "image", folder, "pixels")
    recorded.write("channel_read", channel=name, ref=ref.to_json())


def test_outlines_lie_on_the_cells_edges(recorded, movies):
    labels = np.zeros((2, 512, 512), np.uint16)
    labels[0, 100:200, 50:90] = 7
    labels[1, 300:310, 300:310] = 7
    recorded.start({"seg": recorded.node()})
    recorded.publish("seg", label=("label", labels))
    (movie,), left = movies()
    assert left == []
    (layer,) = movie["layers"]
    drawn = np.asarray(picture(layer, 0))
    inside = np.zeros((512, 512), bool)
    inside[100:200, 50:90] = True
    inner = np.zeros_like(inside)
    inner[101:199, 51:89] = True
    assert np.array_equal(drawn > 0, inside & ~inner)
    assert picture(layer, 0).info["transparency"] == 0
    colors = {int(np.asarray(picture(layer, i)).max()) for i in (0, 1)}
    assert len(colors) == 1  # a cell keeps its colour


def test_what_is_shown_has_its_own_pixel_size(recorded, movies):
    """A movie of every second pixel: the channel has another shape, and is not shown with it."""
    facts = {"pixel_size_um": 0.5, "frame_interval_s": None}
    nodes = {"half": recorded.node(), "seg": recorded.node()}
    recorded.start(nodes, channels={"tcell": facts})
    read_channel(recorded, "tcell", np.zeros((2, 64, 64), np.uint16))
    recorded.publish("half", um=1.0, image=("image", np.zeros((2, 32, 32), np.uint16)))
    recorded.publish("seg", um=1.0, label=("label", np.ones((2, 32, 32), np.uint8)))
    (movie,), _ = movies()
    assert (movie["um"], movie["width"]) == (1.0, 32)
    assert [(layer["name"], layer["on"]) for layer in movie["layers"]] == [
        ("half.image", True), ("seg.label", True)
    ]  # fmt: skip


def test_touching_cells_have_an_edge_between_them(recorded, movies):
    labels = np.ones((1, 512, 512), np.uint8)
    labels[:, :, 256:] = 2
    recorded.start({"seg": recorded.node()})
    recorded.publish("seg", label=("label", labels))
    (movie,), _ = movies()
    drawn = np.asarray(picture(movie["layers"][0], 0))
    assert np.flatnonzero(drawn[100]).tolist() == [255, 256]
    assert drawn[100, 255] != drawn[100, 256]


def test_grey_values_are_stretched_alike_in_all_frames(recorded, movies):
    movie = np.full((3, 64, 64), 100, np.uint16)
    movie[:, 16:48, 16:48] = [[[600]], [[600]], [[350]]]
    recorded.start({"a": recorded.node(inputs={"image": "tcell"})}, channels={"tcell": {}})
    read_channel(recorded, "tcell", movie)
    (made,), _ = movies()
    (layer,) = made["layers"]
    grey = [np.asarray(picture(layer, i).convert("L")) for i in range(3)]
    assert (layer["range"], made["frames"]) == ([100, 600], [0, 1, 2])
    assert [int(g[32, 32]) for g in grey] == pytest.approx([255, 255, 127], abs=6)
    assert int(grey[0][4, 4]) <= 6


def test_few_frames_of_a_long_movie_and_small_pictures_of_a_large_one(recorded, movies):
    recorded.start({"a": recorded.node()}, channels={"tcell": {"pixel_size_um": 0.5}})
    read_channel(recorded, "tcell", np.zeros((100, 900, 1200), np.uint8))
    (made,), left = movies()
    assert len(made["frames"]) == 24
    assert (made["frames"][0], made["frames"][-1], made["count"]) == (0, 99, 100)
    assert left == ["frames: 24 of 100 have pictures"]
    assert picture(made["layers"][0], 0).size == (448, 336)
    assert (made["width"], made["height"], made["um"]) == (1200, 900, 0.5)


def test_pictures_stay_within_their_room(recorded, movies, monkeypatch):
    monkeypatch.setattr(_movies, "_BUDGET_BYTES", 200_000)
    rng = np.random.default_rng(0)
    recorded.start({"a": recorded.node()}, channels={"tcell": {}})
    read_channel(recorded, "tcell", rng.integers(0, 4000, (20, 256, 256)).astype(np.uint16))
    (made,), left = movies()
    size = sum(len(base64.b64decode(data)) for data in made["layers"][0]["data"])
    assert 1 < len(made["frames"]) < 20
    assert size < 210_000
    assert left == [f"frames: {len(made['frames'])} of 20 have pictures"]


def test_labels_with_tracks_stand_for_those_they_were_made_of(recorded, movies):
    labels = np.ones((1, 8, 8), np.uint8)
    recorded.start(
        {
            "seg": recorded.node(),
            "tracks": recorded.node(inputs={"label": "seg.label"}, dependencies=["seg"]),
        }
    )
    for name in ("seg", "tracks"):
        recorded.publish(name, label=("label", labels))
    (made,), _ = movies()
    assert [layer["name"] for layer in made["layers"]] == ["tracks.label"]


def test_few_of_many_samples_are_shown_and_the_rest_is_told(recorded, movies):
    samples = {f"s{i}": {} for i in range(9)}
    recorded.start({f"{name}/seg": recorded.node() for name in samples}, samples=samples)
    for name in samples:
        recorded.publish(f"{name}/seg", label=("label", np.ones((1, 8, 8), np.uint8)))
    made, left = movies()
    assert [movie["sample"] for movie in made] == ["s0", "s3", "s5", "s8"]
    assert left == ["pictures of 5 of 9 samples"]


def test_a_file_that_is_gone_is_told(recorded, movies):
    recorded.start({"a": recorded.node()}, channels={"tcell": {}})
    read_channel(recorded, "tcell", np.zeros((1, 8, 8), np.uint8))
    (recorded.output / "channels/tcell/pixels.npy").unlink()
    assert movies() == ([], ["pictures: their files are no longer there"])


def test_odd_numbers_make_pictures(recorded, movies):
    """NaN, infinity, and a movie of one value."""
    movie = np.full((2, 16, 16), np.nan, np.float32)
    movie[1] = [[np.inf] * 16] * 16
    recorded.start({"a": recorded.node()}, channels={"tcell": {}})
    read_channel(recorded, "tcell", movie)
    (made,), _ = movies()
    assert picture(made["layers"][0], 0).size == (16, 16)
