"""A framewise task on part of a movie after the other gives what it gives on the whole."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from cyto.core.movie import Frames, frames
from cyto.runners import blocks, exchange
from cyto.task import PipelineTask, Port
from cyto.task.loading import call_here


class Count(PipelineTask):
    """Number the pixels above 5, frame by frame; wide numbers where there are many."""

    inputs: ClassVar = {"image": Port("image")}
    outputs: ClassVar = {"label": Port("label"), "dataframe": Port("dataframe")}
    framewise = True

    def run_baremetal(self, data):
        above = data["image"] > 5
        dtype = np.uint16 if data["image"].max() > 90 else np.uint8
        number = np.cumsum(above, axis=(1 if above.ndim == 2 else 2)) * above
        first = data.get("frame_offset", 0)
        table = pd.DataFrame({"frame": first + np.arange(len(above)), "n": above.sum((1, 2))})
        return {"label": number.astype(dtype), "dataframe": table[table.n > 0]}


def movie(length: int) -> np.ndarray:
    rng = np.random.default_rng(length)
    pixels = rng.integers(0, 20, (length, 6, 7)).astype(np.uint8)
    pixels[length // 2 :, 0, 0] = 100  # from here on, the labels are wide
    pixels[0] = 0
    return pixels


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10])
def test_blocks_equal_the_whole(count, tmp_path):
    whole = Count()({"image": movie(10)})
    data = {"image": movie(10), "pixel_size_um": 0.5}
    refs = {"image": exchange.save(movie(10), "image", tmp_path, "image")}
    kinds = {key: port.kind for key, port in Count.outputs.items()}
    out = tmp_path / "out"
    out.mkdir()
    found = blocks.run_in_blocks(
        lambda part: call_here(Count(), part), data, refs, count, kinds, out
    )
    label = exchange.load(found["label"])
    np.testing.assert_array_equal(label, whole["label"])
    assert label.dtype == np.uint16
    assert (found["label"].shape, found["label"].dtype) == (label.shape, label.dtype.str)
    pd.testing.assert_frame_equal(
        exchange.load(found["dataframe"]), whole["dataframe"].reset_index(drop=True)
    )
    assert {path.name for path in out.iterdir()} == {"label.npy", "dataframe.arrow"}


def test_when_a_movie_is_parted(tmp_path, monkeypatch):
    refs = {"image": exchange.save(movie(10), "image", tmp_path, "image")}
    data = {"image": movie(10)}
    assert blocks.block_frames(Count, data, refs) == 0, "small ones are not"
    monkeypatch.setattr(blocks, "LIMIT_BYTES", 3 * 42)
    assert blocks.block_frames(Count, data, refs) == 3
    monkeypatch.setattr(blocks, "LIMIT_BYTES", 1)
    assert blocks.block_frames(Count, data, refs) == 1

    class Whole(Count):
        framewise = False

    assert blocks.block_frames(Whole, data, refs) == 0

    class Network(Count):
        outputs: ClassVar = {"network": Port("network")}

    assert blocks.block_frames(Network, data, refs) == 0, "networks are not joined"


def test_a_movie_that_is_made_while_it_is_read(tmp_path):
    made = []

    def numbers():
        for index in range(4):
            made.append(index)
            yield np.full((2, 3), index)

    lazy = Frames((4, 2, 3), np.uint16, numbers())
    assert (len(lazy), lazy.shape, lazy.dtype, made) == (4, (4, 2, 3), np.uint16, [])
    ref = exchange.save(lazy, "image", tmp_path, "image")
    found = exchange.load(ref)
    assert (found == np.arange(4, dtype=np.uint16)[:, None, None]).all()
    assert (ref.shape, ref.dtype) == (found.shape, found.dtype.str)
    with pytest.raises(RuntimeError, match="read once"):
        iter(lazy)


def test_a_direct_call_gives_an_array():
    class Lazy(PipelineTask):
        inputs: ClassVar = {"image": Port("image")}
        outputs: ClassVar = {"image": Port("image")}

        def run_baremetal(self, data):
            image = data["image"]
            return {"image": Frames(image.shape, image.dtype, (f + 1 for f in frames(image)))}

    image = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    np.testing.assert_array_equal(Lazy()({"image": image})["image"], image + 1)


def test_categories_that_differ_are_joined():
    parts = [pd.DataFrame({"kind": pd.Categorical(list(text))}) for text in ("ba", "cb")]
    whole = blocks.joined(parts)
    expected = pd.DataFrame({"kind": pd.Categorical(list("bacb"))})
    pd.testing.assert_frame_equal(whole, expected)
