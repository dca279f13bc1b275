"""Folders and globs of frames, names that are hard on programs, and calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cyto.errors import ChannelError


@pytest.fixture
def frames(here, movie):
    """Twelve frames whose names sort wrongly as text."""
    stack = movie(12, 30, 40)
    (here / "frames").mkdir()
    for t, frame in enumerate(stack):
        tifffile.imwrite(here / f"frames/frame{t}.tif", frame, compression=("zlib", None)[t % 2])
    (here / "frames/notes.txt").write_text("not an image")
    (here / "frames/.hidden.tif").write_text("not an image")
    return stack


@pytest.mark.parametrize("path", ["frames", "frames/*.tif", "frames/frame*", "**/frame*.tif"])
def test_frames_in_natural_order(here, frames, path):
    array, form, channel = here.read(path)
    assert form == "npy"
    assert [Path(f).name for f in channel.files] == [f"frame{t}.tif" for t in range(12)]
    np.testing.assert_array_equal(array, frames)


def test_frames_are_chosen_and_cropped(here, frames):
    array, _, channel = here.read(
        "frames", frames=(1, -1, 4), crop={"y": (3, 7), "x": (0, 2)}, frame_interval_s=10.0
    )
    np.testing.assert_array_equal(array, frames[1:-1:4, 3:7, :2])
    assert channel.frame_interval_s == 40.0


def test_frames_with_channels(here, movie):
    whole = movie(3, 2, 30, 40)
    for t, frame in enumerate(whole):
        tifffile.imwrite(here / f"t{t}.ome.tif", frame, metadata={"axes": "CYX"})
    np.testing.assert_array_equal(here.read("t?.ome.tif", channel=1)[0], whole[:, 1])


def test_stacks_follow_one_another(here, movie):
    whole = movie(6, 30, 40)
    for part, compression in ((0, None), (1, "zlib")):
        stack = whole[part * 3 : part * 3 + 3]
        tifffile.imwrite(
            here / f"part{part}.tif", stack, photometric="minisblack", compression=compression
        )
    np.testing.assert_array_equal(here.read("part*.tif", frames=(1, 6, 2))[0], whole[1:6:2])


def test_one_frame_in_a_folder_stays_in_place(here, movie):
    (here / "frames").mkdir()
    tifffile.imwrite(here / "frames/a.tif", movie(30, 40))
    assert here.read("frames")[1] == "array"


@pytest.mark.parametrize(
    "name", ["Zellen é µ.tif", 'it\'s 50% "done"; rm -rf.tif', "a[1-3]*?.tif", "line\nbreak.tif"]
)
def test_hostile_names(here, movie, name):
    tifffile.imwrite(here / name, movie(2, 30, 40), photometric="minisblack", compression="zlib")
    array, _, channel = here.read(name)
    assert channel.files == (str(here / name),)
    np.testing.assert_array_equal(array, movie(2, 30, 40))


@pytest.mark.parametrize(
    ("unit", "tunit", "size", "interval"),
    [
        ("um", None, 0.5, 30.0),
        ("\\u00B5m", "min", 0.5, 1800.0),
        ("nm", "ms", 0.0005, 0.03),
        ("mm", None, 500.0, 30.0),
        ("pixel", None, None, 30.0),
    ],
)
def test_imagej_units(here, movie, unit, tunit, size, interval):
    metadata = {"axes": "TYX", "unit": unit, "finterval": 30.0}
    if tunit:
        metadata["tunit"] = tunit
    tifffile.imwrite(
        here / "a.tif", movie(3, 30, 40), imagej=True, resolution=(2, 2), metadata=metadata
    )
    channel = here.inspect("a.tif")
    assert channel.pixel_size_um == (size and pytest.approx(size))
    assert channel.frame_interval_s == pytest.approx(interval)


def test_imagej_labels_name_channels(here, movie):
    tifffile.imwrite(
        here / "a.tif",
        movie(2, 30, 40),
        imagej=True,
        metadata={"axes": "CYX", "Labels": ["nuclei", "dead"]},
    )
    assert here.inspect("a.tif", channel="dead").channel_name == "dead"


def test_no_calibration_is_none(here, movie):
    tifffile.imwrite(here / "a.tif", movie(3, 30, 40), imagej=True, metadata={"axes": "TYX"})
    channel = here.inspect("a.tif")
    assert channel.pixel_size_um is None
    assert channel.frame_interval_s is None
    assert channel.channel_name is None


@pytest.mark.parametrize(
    ("per_unit", "unit", "size"),
    [(20000.0, "CENTIMETER", 0.5), (118.1, "CENTIMETER", None), (300.0, "INCH", None)],
)
def test_a_printers_resolution_is_no_calibration(here, movie, per_unit, unit, size):
    tifffile.imwrite(
        here / "a.tif", movie(30, 40), resolution=(per_unit, per_unit), resolutionunit=unit
    )
    assert here.inspect("a.tif").pixel_size_um == (size and pytest.approx(size))


def test_the_user_wins_over_the_file(here, movie):
    meta = {"axes": "TYX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.6, "TimeIncrement": 5.0}
    tifffile.imwrite(here / "a.ome.tif", movie(3, 30, 40), metadata=meta)
    with pytest.raises(ChannelError, match=r"not square: 0\.3 µm wide, 0\.6 µm high"):
        here.inspect("a.ome.tif")
    channel = here.inspect("a.ome.tif", pixel_size_um=0.4, frame_interval_s=60.0)
    assert (channel.pixel_size_um, channel.frame_interval_s) == (0.4, 60.0)


def test_axes_as_the_user_writes_them(here, movie):
    stack = movie(4, 30, 40)
    tifffile.imwrite(here / "z.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    np.testing.assert_array_equal(here.read("z.tif", axes="tyx")[0], stack)
    colour = movie(30, 40, 3, dtype="uint8")
    tifffile.imwrite(here / "rgb.tif", colour, photometric="rgb", compression="zlib")
    array = here.read("rgb.tif", axes="YXC", channel=1)[0]
    np.testing.assert_array_equal(array[0], colour[..., 1])
    whole = movie(2, 3, 30, 40)
    tifffile.imwrite(here / "q.tif", whole, photometric="minisblack")
    np.testing.assert_array_equal(here.read("q.tif", axes="CTYX", channel=1)[0], whole[1])
