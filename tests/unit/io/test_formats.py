"""Every format that tifffile writes is read back with exactly its pixels."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cyto.io.channels import ChannelSpec, inspect_channel, materialize

SHARED = Path(__file__).parents[4] / "shared" / "data"


def test_plain_frame_is_one_frame_in_place(here, movie):
    frame = movie(30, 40)
    tifffile.imwrite(here / "a.tif", frame)
    array, form, channel = here.read("a.tif")
    assert form == "array"
    assert channel.shape == (1, 30, 40)
    np.testing.assert_array_equal(array[0], frame)
    assert not (here / "out").exists()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "float32", "float64"])
def test_plain_stack_is_time(here, movie, dtype):
    stack = movie(5, 30, 40, dtype=dtype)
    tifffile.imwrite(here / "a.tif", stack, photometric="minisblack", metadata=None)
    array, form, channel = here.read("a.tif")
    assert form == "array"
    assert channel.dtype == np.dtype(dtype).str
    np.testing.assert_array_equal(array, stack)


def test_stack_of_three_without_metadata_is_time_or_channels_when_picked(here, movie):
    stack = movie(3, 30, 40)
    tifffile.imwrite(here / "a.tif", stack, photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(here.read("a.tif")[0], stack)
    np.testing.assert_array_equal(here.read("a.tif", channel=2)[0], stack[2:])


def test_pages_with_tags_between_them_stay_in_place(here, movie):
    stack = movie(9, 30, 40)
    with tifffile.TiffWriter(here / "a.tif") as writer:
        for frame in stack:
            writer.write(frame, contiguous=False, metadata=None, rowsperstrip=7)
    array, form, _ = here.read("a.tif", frames=(1, 8, 3), crop={"y": (3, 20)})
    assert form == "array"
    np.testing.assert_array_equal(array, stack[1:8:3, 3:20])


@pytest.mark.parametrize("compression", ["zlib", "zstd", "lzw", "packbits"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_compressed(here, movie, compression, tile):
    stack = movie(7, 50, 40)
    tifffile.imwrite(
        here / "a.tif", stack, photometric="minisblack", compression=compression, tile=tile
    )
    array, form, _ = here.read("a.tif")
    assert form == "npy"
    np.testing.assert_array_equal(array, stack)
    assert [p.name for p in (here / "out").iterdir()] == ["tcell.npy"]


def test_tiled_is_decoded(here, movie):
    stack = movie(3, 50, 40)
    tifffile.imwrite(here / "a.tif", stack, photometric="minisblack", tile=(16, 16))
    array, form, _ = here.read("a.tif", crop={"y": (5, 44), "x": (17, 18)}, frames=(1, None, None))
    assert form == "npy"
    np.testing.assert_array_equal(array, stack[1:, 5:44, 17:18])


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_big_endian_is_converted(here, movie, compression, dtype):
    stack = movie(4, 30, 40, dtype=dtype)
    tifffile.imwrite(
        here / "a.tif", stack, byteorder=">", photometric="minisblack", compression=compression
    )
    array, form, _ = here.read("a.tif", frames=(0, 4, 2), crop={"x": (1, 9)})
    assert form == ("array" if dtype == "uint8" and not compression else "npy")
    np.testing.assert_array_equal(array, stack[::2, :, 1:9])


def test_bits_become_bytes(here):
    mask = np.indices((3, 20, 24)).sum(0) % 3 == 0
    tifffile.imwrite(here / "a.tif", mask, photometric="minisblack")
    array, _, channel = here.read("a.tif")
    assert channel.dtype == np.dtype(np.uint8).str
    np.testing.assert_array_equal(array, mask)


def test_bigtiff(here, movie):
    stack = movie(4, 30, 40)
    tifffile.imwrite(here / "a.tif", stack, bigtiff=True, photometric="minisblack")
    array, form, _ = here.read("a.tif")
    assert form == "array"
    np.testing.assert_array_equal(array, stack)


@pytest.mark.parametrize("compression", [None, "zstd"])
@pytest.mark.parametrize("axes", ["".join(p) for p in itertools.permutations("TCYX")])
def test_any_order_of_axes(here, axes, movie, compression):
    size = {"T": 4, "C": 2, "Y": 30, "X": 40}
    whole = movie(4, 2, 30, 40)
    turned = np.ascontiguousarray(whole.transpose(["TCYX".index(a) for a in axes]))
    assert turned.shape == tuple(size[a] for a in axes)
    tifffile.imwrite(
        here / "a.tif",
        turned,
        photometric="minisblack",
        metadata={"axes": axes},
        compression=compression,
    )
    array, form, _ = here.read(
        "a.tif", channel=1, frames=(1, 4, 2), crop={"y": (2, 29), "x": (5, 6)}
    )
    assert form == ("npy" if compression else "array")
    np.testing.assert_array_equal(array, whole[1:4:2, 1, 2:29, 5:6])


@pytest.mark.parametrize("axes", ["TCYX", "CTYX"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome(here, movie, axes, compression):
    whole = movie(2, 3, 30, 40)
    names = ["red", "grün"] if axes[0] == "C" else ["red", "grün", "blue"]
    tifffile.imwrite(
        here / "a.ome.tif",
        whole,
        photometric="minisblack",
        compression=compression,
        metadata={
            "axes": axes,
            "PhysicalSizeX": 325.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.325,
            "TimeIncrement": 2.0,
            "TimeIncrementUnit": "min",
            "Channel": {"Name": names},
        },
    )
    array, form, channel = here.read("a.ome.tif", channel="grün")
    assert form == ("npy" if compression else "array")
    np.testing.assert_array_equal(array, whole[:, 1] if axes == "TCYX" else whole[1])
    assert channel.pixel_size_um == pytest.approx(0.325)
    assert channel.frame_interval_s == 120.0
    assert channel.channel_name == "grün"


def test_ome_in_several_files(here, movie):
    whole = movie(3, 30, 40)
    xml = tifffile.OmeXml()
    xml.addimage("uint16", (3, 30, 40), (3, 1, 1, 30, 40, 1), axes="TYX")
    planes = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="t{t}.ome.tif">urn:uuid:0000-{t}</UUID></TiffData>'
        for t in range(3)
    )
    text = xml.tostring().replace('<TiffData IFD="0" PlaneCount="3"/>', planes)
    for t in range(3):
        own = text.replace(text.split('UUID="')[1].split('"')[0], f"urn:uuid:0000-{t}", 1)
        tifffile.imwrite(
            here / f"t{t}.ome.tif", whole[t], description=own, metadata=None, compression="zlib"
        )
    array, _, channel = here.read("t0.ome.tif")
    np.testing.assert_array_equal(array, whole)
    assert [Path(f).name for f in channel.files] == ["t0.ome.tif", "t1.ome.tif", "t2.ome.tif"]


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_imagej_hyperstack(here, movie, byteorder):
    whole = movie(4, 2, 30, 40)
    tifffile.imwrite(
        here / "a.tif",
        whole,
        imagej=True,
        byteorder=byteorder,
        resolution=(1 / 0.5, 1 / 0.5),
        metadata={"axes": "TCYX", "unit": "micron", "finterval": 90.0},
    )
    array, form, channel = here.read("a.tif", channel=1, frames=(None, None, 2))
    assert form == ("array" if byteorder == "<" else "npy")
    np.testing.assert_array_equal(array, whole[::2, 1])
    assert channel.pixel_size_um == pytest.approx(0.5)
    assert channel.frame_interval_s == 180.0


def test_real_frame_of_a_killing_assay():
    path = SHARED / "adcc_frame" / "frame.tif"
    if not path.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {path}")
    channel = inspect_channel(ChannelSpec(name="nuclei", path=str(path), channel=3))
    assert channel.shape == (1, 682, 660)
    ref = materialize(channel, Path("never-made"))
    assert ref.format == "array"
    mapped = np.ndarray(ref.shape, ref.dtype, path.read_bytes(), ref.offset, ref.strides)
    np.testing.assert_array_equal(mapped[0], tifffile.imread(path)[3])
