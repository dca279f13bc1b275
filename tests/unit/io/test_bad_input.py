"""What cannot be read is refused when it is looked at, in words that help."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from cyto.errors import ChannelError
from cyto.io._files import find_files, natural_key


def refused(here, name, **spec):
    """Give the message with which a channel is refused."""
    with pytest.raises(ChannelError) as caught:
        here.inspect(name, **spec)
    assert caught.value.exit_code == 2
    assert caught.value.channel == "tcell"
    assert caught.value.path
    assert str(caught.value).startswith("channel 'tcell': ")
    return str(caught.value)


@pytest.fixture
def two(here, movie):
    """An OME-TIFF with two named channels."""
    metadata = {"axes": "TCYX", "Channel": {"Name": ["nuclei", "dead"]}}
    tifffile.imwrite(here / "two.ome.tif", movie(4, 2, 30, 40), metadata=metadata)
    return "two.ome.tif"


def test_missing_file(here, two):
    message = refused(here, "tow.ome.tif")
    assert f"no such file: {here / 'tow.ome.tif'}" in message
    assert "did you mean 'two.ome.tif'?" in message


def test_missing_folder(here):
    (here / "data").mkdir()
    message = refused(here, "dta/movie.tif")
    assert f"there is no folder {here / 'dta'}" in message
    assert "did you mean 'data'?" in message


def test_nothing_like_it_lists_what_is_there(here, two):
    assert "holds two.ome.tif" in refused(here, "xyzzy.tif")


def test_glob_that_matches_nothing(here, two):
    message = refused(here, "*.tiff")
    assert f"no file matches {here / '*.tiff'}" in message
    assert "it holds two.ome.tif" in message
    assert "there is no folder" in refused(here, "nowhere/*.tif")


@pytest.mark.parametrize(("content", "hint"), [([], "empty"), (["a.png", "b.png"], "a.png, b.png")])
def test_folder_without_images(here, content, hint):
    (here / "frames").mkdir()
    for name in content:
        (here / "frames" / name).touch()
    message = refused(here, "frames")
    assert "holds no TIFF files" in message
    assert hint in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a TIFF image but a PNG image"),
        (b"hello, this is text", "not a TIFF image"),
        (b"II*\0", "damaged or truncated"),
        (b"II*\0\xff\xff\0\0", "holds no image"),
    ],
)
def test_not_an_image(here, content, words):
    (here / "a.tif").write_bytes(content)
    assert words in refused(here, "a.tif")


def test_frames_that_differ(here, movie):
    for t, shape in enumerate([(30, 40), (30, 40), (30, 41)]):
        tifffile.imwrite(here / f"f{t}.tif", movie(*shape))
    message = refused(here, "f*.tif")
    assert f"frames differ: {here / 'f2.tif'} is uint16 (30, 41)" in message
    tifffile.imwrite(here / "f2.tif", movie(30, 40, dtype="uint8"))
    assert "f2.tif is uint8 (30, 40)" in refused(here, "f*.tif")


def test_channel_is_not_picked(here, two):
    message = refused(here, two)
    assert "has 2 channels and none is picked: 0 (nuclei), 1 (dead)" in message


def test_channel_is_not_there(here, two, movie):
    assert "channel 2 is out of range" in refused(here, two, channel=2)
    assert "has 2 channels" in refused(here, two, channel=-1)
    assert "did you mean 'dead'?" in refused(here, two, channel="daed")
    tifffile.imwrite(here / "a.tif", movie(30, 40))
    assert "does not name its channels" in refused(here, "a.tif", channel="dead")
    assert "has 1 channel\n" in refused(here, "a.tif", channel=1)


def test_z_stack_and_colour(here, movie):
    tifffile.imwrite(here / "z.tif", movie(5, 30, 40), imagej=True, metadata={"axes": "ZYX"})
    message = refused(here, "z.tif")
    assert "5 Z slices" in message
    assert "project along Z" in message
    assert "axes: TYX" in message
    tifffile.imwrite(here / "rgb.tif", movie(30, 40, 3, dtype="uint8"), photometric="rgb")
    assert "greyscale" in refused(here, "rgb.tif")


def test_dimensions_without_meaning(here, movie):
    tifffile.imwrite(here / "q.tif", movie(2, 3, 30, 40), photometric="minisblack")
    assert "write what each of them is" in refused(here, "q.tif")
    assert "axes 'TYX' name 3 dimensions, the image has 4" in refused(here, "q.tif", axes="TYX")
    assert "axes 'TQYX' are not known" in refused(here, "q.tif", axes="TQYX")


def test_several_images_in_one_file(here, movie):
    with tifffile.TiffWriter(here / "a.tif") as writer:
        writer.write(movie(30, 40))
        writer.write(movie(20, 20))
    assert "holds 2 images of different shape" in refused(here, "a.tif")


def test_selection_out_of_range(here, two):
    assert "there are 4 frames" in refused(here, two, channel=0, frames=(0, 5, None))
    assert "out of range" in refused(here, two, channel=0, frames=(4, None, None))
    assert "out of range" in refused(here, two, channel=0, frames=(2, 2, 1))
    assert "step 0 is not positive" in refused(here, two, channel=0, frames=(0, 4, 0))
    assert "crop y: [0, 31]" in refused(here, two, channel=0, crop={"y": (0, 31)})
    assert "has 40 pixels there" in refused(here, two, channel=0, crop={"x": (5, 5)})
    assert "unknown key 'z'" in refused(here, two, channel=0, crop={"z": (0, 1)})


def test_complex_pixels(here):
    tifffile.imwrite(here / "a.tif", np.zeros((3, 4), np.complex64))
    assert "complex64" in refused(here, "a.tif")


def test_a_folder_called_zarr_that_is_none(here):
    (here / "a.ome.zarr").mkdir()
    message = refused(here, "a.ome.zarr")
    assert "is no Zarr image: it has no zarr.json" in message


def test_a_file_that_changes_between_looking_and_reading(here, movie):
    from cyto.io.channels import materialize

    tifffile.imwrite(here / "a.tif", movie(3, 30, 40), photometric="minisblack", tile=(16, 16))
    channel = here.inspect("a.tif")
    tifffile.imwrite(here / "a.tif", movie(2, 30, 40), photometric="minisblack", tile=(16, 16))
    with pytest.raises(ChannelError, match="not what it was a moment ago"):
        materialize(channel, here / "out")
    assert list((here / "out").iterdir()) == []


def test_natural_order():
    names = ["f10", "f2", "F1", "f02", "é3", "a"]
    assert sorted(names, key=natural_key) == ["a", "F1", "f02", "f2", "f10", "é3"]


def test_paths_become_absolute(here, movie, monkeypatch):
    tifffile.imwrite(here / "a.tif", movie(30, 40))
    monkeypatch.chdir(here.path)
    assert find_files("a.tif") == (str(here / "a.tif"),)
