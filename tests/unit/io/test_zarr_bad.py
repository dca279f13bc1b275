"""Zarr folders that cannot be read are refused in words that help."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cyto.errors import ChannelError
from cyto.io.channels import materialize

zarr = pytest.importorskip("zarr")


@pytest.fixture
def image(here, movie, write_zarr):
    """A good image, to be spoilt."""
    write_zarr(here / "a.zarr", movie(4, 2, 30, 40), "tcyx")
    return here / "a.zarr"


def refused(here, name, **spec):
    with pytest.raises(ChannelError) as caught:
        here.inspect(name, **spec)
    assert caught.value.channel == "tcell"
    assert caught.value.path
    return str(caught.value)


def changed(image, change):
    path = image / "zarr.json"
    meta = json.loads(path.read_text())
    change(meta["attributes"]["ome"])
    path.write_text(json.dumps(meta))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda o: o.update(multiscales=[{}]), "metadata of .* are damaged: KeyError: 'datasets'"),
        (lambda o: o.update(multiscales=7), "are damaged: TypeError"),
        (lambda o: o["multiscales"][0].update(datasets=[]), "are damaged: IndexError"),
        (lambda o: o["multiscales"][0].update(axes="yx"), "has 4 dimensions, its metadata name 2"),
        (lambda o: o["multiscales"][0].pop("axes"), "its version of OME-Zarr is not known"),
        (lambda o: o["multiscales"][0]["datasets"][0].update(path="7"), "there is no '7'"),
        (lambda o: o["multiscales"][0]["datasets"][0].update(path="../b"), "point outside of it"),
        (lambda o: o["multiscales"][0]["datasets"][0].update(path="/etc"), "point outside of it"),
        (lambda o: o["multiscales"][0]["datasets"][0].update(path=7), "are damaged: TypeError"),
        (lambda o: o.clear(), "is a Zarr group that holds no image of its own\n.*it holds 0"),
        (lambda o: o.update(omero=[1]), "are damaged: AttributeError"),
        (
            lambda o: o["multiscales"][0]["datasets"][0].update(
                coordinateTransformations=[{"type": "scale", "scale": ["a"] * 4}]
            ),
            "are damaged: ValueError",
        ),
    ],
)
def test_damaged_metadata(here, image, change, words):
    changed(image, change)
    with pytest.raises(ChannelError, match=words):
        here.inspect("a.zarr", channel=0)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\xff", "null", "[" * 100_000])
@pytest.mark.parametrize("name", ["zarr.json", "0/zarr.json"])
def test_damaged_files(here, image, name, text):
    (image / name).write_text(text, encoding="latin-1")
    refused(here, "a.zarr", channel=0)


def test_missing_chunks(here, image):
    (image / "0/c/2/0/0/0").unlink()  # blank, says the format
    assert not here.read("a.zarr", channel=0)[0][2].any()
    shutil.rmtree(image / "0/c")
    assert "none of its chunks is there" in refused(here, "a.zarr", channel=0)


@pytest.mark.parametrize("data", [b"", b"not zstd", None])
def test_damaged_chunk(here, image, data):
    chunk = image / "0/c/2/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-20] if data is None else data)
    channel = here.inspect("a.zarr", channel=0)
    with pytest.raises(ChannelError, match="is damaged at frame 2"):
        materialize(channel, here / "out")
    assert list((here / "out").iterdir()) == []


def test_changed_between_looking_and_reading(here, image, movie, write_zarr):
    channel = here.inspect("a.zarr", channel=0)
    shutil.rmtree(image)
    write_zarr(image, movie(4, 2, 30, 41), "tcyx")
    with pytest.raises(ChannelError, match="not what it was a moment ago"):
        materialize(channel, here / "out")


def test_types_that_are_no_pixels(here, movie, write_zarr):
    write_zarr(here / "c.zarr", movie(2, 30, 40).astype("complex64"), "tyx")
    assert "pixels of type complex64" in refused(here, "c.zarr")


def test_pickle_is_never_run(here, movie, write_zarr):
    write_zarr(here / "a.zarr", movie(2, 30, 40), "tyx", version="0.4")
    path = here / "a.zarr/0/.zarray"
    meta = json.loads(path.read_text()) | {"filters": [{"id": "pickle", "protocol": 5}]}
    path.write_text(json.dumps(meta))
    assert "encoded with pickle" in refused(here, "a.zarr")


def test_z_stack_and_unpicked_channel(here, image, movie, write_zarr):
    assert "has 2 channels and none is picked: 0, 1" in refused(here, "a.zarr")
    write_zarr(here / "z.zarr", movie(3, 2, 30, 40), "tzyx")
    assert "2 Z slices" in refused(here, "z.zarr")


def test_pixels_that_are_not_square(here, movie, write_zarr):
    space = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    write_zarr(here / "a.zarr", movie(30, 40), space, scale=[1.0, 2.0])
    assert "not square" in refused(here, "a.zarr")


def test_several_images(here, movie, write_zarr):
    meta = {"bioformats2raw.layout": 3}
    write_zarr(here / "s.zarr/0", movie(2, 30, 40), "tyx")
    write_zarr(here / "s.zarr/1", movie(2, 30, 40), "tyx")
    whole = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": meta}}
    (here / "s.zarr/zarr.json").write_text(json.dumps(whole))
    message = refused(here, "s.zarr")
    assert "holds 2 images and none is picked: 0, 1" in message
    assert f"write the path of one, as in {here / 's.zarr/0'}" in message
    assert "has no image 2: it has 2" in refused(here, "s.zarr", scene=2)
    assert "has no image -1" in refused(here, "s.zarr", scene=-1)


def test_formats_are_not_mixed(here, movie, write_zarr):
    import tifffile

    write_zarr(here / "f0.zarr", movie(2, 30, 40), "tyx")
    tifffile.imwrite(here / "f1.tif", movie(2, 30, 40), photometric="minisblack")
    assert "formats differ" in refused(here, "f*")
    assert "scene: 0 cannot be picked" in refused(here, "f1.tif", scene=0)


def test_without_the_library(here, image):
    program = """
import sys
sys.modules["zarr"] = None
from cyto.errors import ChannelError
from cyto.io.channels import ChannelSpec, inspect_channel
try:
    inspect_channel(ChannelSpec(name="n", path=sys.argv[1]))
except ChannelError as error:
    assert "needs the package zarr" in str(error), error
    assert "pip install 'pycyto[zarr]'" in str(error), error
else:
    sys.exit("read")
"""
    subprocess.run([sys.executable, "-c", program, str(image)], check=True)


def test_an_image_of_which_nothing_was_written(here, write_zarr):
    write_zarr(here / "a.zarr", np.zeros((2, 30, 40), np.uint8), "tyx")
    assert "none of its chunks is there" in refused(here, "a.zarr")
