"""Plates, collections and folders of Zarr images, and what their digests depend on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cyto.io.channels import channel_digest

zarr = pytest.importorskip("zarr")


def group(folder, ome):
    folder.mkdir(parents=True, exist_ok=True)
    meta = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}
    (folder / "zarr.json").write_text(json.dumps(meta))


@pytest.fixture
def plate(here, movie, write_zarr):
    """A plate of one well with two fields."""
    group(here / "p.zarr", {"plate": {"wells": [{"path": "A/1"}]}})
    group(here / "p.zarr/A/1", {"well": {"images": [{"path": "0"}, {"path": "1"}]}})
    fields = [movie(2, 30, 40), movie(3, 20, 20) + 1]
    for number, field in enumerate(fields):
        write_zarr(here / f"p.zarr/A/1/{number}", field, "tyx")
    return fields


def test_plates(here, plate):
    np.testing.assert_array_equal(here.read("p.zarr/A/1/1")[0], plate[1])
    np.testing.assert_array_equal(here.read("p.zarr/A/1", scene=1)[0], plate[1])
    np.testing.assert_array_equal(here.read("p.zarr", scene="A/1/0")[0], plate[0])


@pytest.mark.parametrize("count", [1, 2])
def test_collections(here, movie, write_zarr, count):
    group(here / "s.zarr", {"bioformats2raw.layout": 3})
    (here / "s.zarr/OME").mkdir()
    for number in range(count):
        write_zarr(here / f"s.zarr/{number}", movie(2, 30, 40) + number, "tyx")
    array, _, _ = here.read("s.zarr", **({"scene": 1} if count > 1 else {}))
    np.testing.assert_array_equal(array, movie(2, 30, 40) + count - 1)


@pytest.mark.parametrize("path", ["frames/*.zarr", "frames/f?.zarr"])
def test_zarrs_follow_one_another(here, movie, write_zarr, path):
    whole = movie(4, 30, 40)
    for part in range(2):
        write_zarr(here / f"frames/f{part}.zarr", whole[part * 2 : part * 2 + 2], "tyx")
    np.testing.assert_array_equal(here.read(path, frames=(1, 4, 2))[0], whole[1:4:2])


def test_digest_is_of_chunks_and_their_names(here, movie, write_zarr):
    memory = here / "memory"
    write_zarr(here / "a.zarr", movie(3, 30, 40), "tyx")
    first = channel_digest(here.inspect("a.zarr"), memory)
    (here / "a.zarr").rename(here / "b.zarr")
    assert channel_digest(here.inspect("b.zarr"), memory) == first
    chunks = here / "b.zarr/0/c"
    for old, new in (("0", "x"), ("1", "0"), ("x", "1")):
        (chunks / old).rename(chunks / new)
    swapped = channel_digest(here.inspect("b.zarr"), memory)
    assert swapped != first
    (chunks / "2/0/0").unlink()
    assert channel_digest(here.inspect("b.zarr"), memory) not in {first, swapped}


def test_digest_depends_on_the_selection(here, movie, write_zarr):
    write_zarr(here / "a.zarr", movie(3, 2, 30, 40), "tcyx")
    found = {
        channel_digest(here.inspect("a.zarr", **spec), here / "memory")
        for spec in ({"channel": 0}, {"channel": 1}, {"channel": 1, "frames": (0, 2, 1)})
    }
    assert len(found) == 3
