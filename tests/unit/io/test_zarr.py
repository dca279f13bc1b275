"""OME-Zarr of every version, shape and encoding is read with exactly its pixels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")

SIZES = {"t": 4, "c": 2, "z": 1, "y": 30, "x": 40}
SPACE = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["tczyx", "tcyx", "tzyx", "czyx", "tyx", "cyx", "zyx", "yx"])
def test_any_axes(here, movie, write_zarr, axes, version):
    whole = movie(*(SIZES[a] for a in axes))
    write_zarr(here / "a.zarr", whole, axes, version=version)
    pick = {"channel": 1} if "c" in axes else {}
    array, form, channel = here.read("a.zarr", **pick)
    expected = whole.reshape([SIZES[a] if a in axes else 1 for a in "tczyx"])
    np.testing.assert_array_equal(array, expected[:, pick.get("channel", 0), 0])
    assert form == "npy"
    assert all(Path(f).is_file() for f in channel.files)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (1, 1, 7, 11)},
        {"chunks": (3, 2, 30, 40)},
        {"chunks": (2, 1, 10, 20), "shards": (4, 2, 30, 40)},
        {"compressors": None},
        {"compressors": {"name": "gzip", "configuration": {"level": 1}}},
        {"chunk_key_encoding": {"name": "v2", "separator": "."}},
        {"version": "0.4", "order": "F"},
        {"version": "0.4", "chunk_key_encoding": {"name": "v2", "separator": "."}},
        {"version": "0.3"},
    ],
    ids=str,
)
def test_any_chunks_and_codecs(here, movie, write_zarr, options):
    whole = movie(10, 2, 30, 40)
    write_zarr(here / "a.zarr", whole, "tcyx", **options)
    part = {"frames": (1, 9, 3), "crop": {"y": (3, 20), "x": (39, 40)}}
    array, _, _ = here.read("a.zarr", channel=1, **part)
    np.testing.assert_array_equal(array, whole[1:9:3, 1, 3:20, 39:])
    np.testing.assert_array_equal(here.read("a.zarr", channel=0)[0], whole[:, 0])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int16", "uint32", ">f4", "float64", "bool"])
def test_types(here, movie, write_zarr, dtype, version):
    whole = movie(3, 30, 40).astype(dtype)
    write_zarr(here / "a.zarr", whole, "tyx", version=version)
    array, _, channel = here.read("a.zarr")
    native = np.dtype("u1") if dtype == "bool" else np.dtype(dtype).newbyteorder("=")
    assert channel.dtype == native.str
    np.testing.assert_array_equal(array, whole)


def test_axes_of_version_0_1(here, movie, write_zarr):
    whole = movie(3, 2, 1, 30, 40)
    write_zarr(here / "a.zarr", whole, "tczyx", version="0.1")
    meta = json.loads((here / "a.zarr/.zattrs").read_text())
    del (
        meta["multiscales"][0]["axes"],
        meta["multiscales"][0]["datasets"][0]["coordinateTransformations"],
    )
    (here / "a.zarr/.zattrs").write_text(json.dumps(meta))
    np.testing.assert_array_equal(here.read("a.zarr", channel=1)[0], whole[:, 1, 0])


def test_axes_by_type_or_by_the_user(here, movie, write_zarr):
    whole = movie(3, 2, 30, 40)
    axes = [{"name": "frame", "type": "time"}, {"name": "dye", "type": "channel"}, "y", "x"]
    write_zarr(here / "a.zarr", whole, axes)
    np.testing.assert_array_equal(here.read("a.zarr", channel=1)[0], whole[:, 1])
    write_zarr(here / "z.zarr", whole, "czyx")
    array, _, _ = here.read("z.zarr", axes="CTYX", channel=2)
    np.testing.assert_array_equal(array, whole[2])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_calibration_and_names(here, movie, write_zarr, version):
    axes = [{"name": "t", "type": "time", "unit": "millisecond"}, {"name": "c", "type": "channel"}]
    axes += [{"name": n, "type": "space", "unit": "nanometer"} for n in "yx"]
    omero = {"channels": [{"label": "T cells"}, {"label": "grün <1>"}]}
    write_zarr(
        here / "a.zarr",
        movie(4, 2, 30, 40),
        axes,
        version=version,
        scale=[1000.0, 1.0, 325.0, 325.0],
        attributes={"omero": omero},
    )
    channel = here.inspect("a.zarr", channel="grün <1>", frames=(None, None, 2))
    assert channel.pixel_size_um == pytest.approx(0.325)
    assert channel.frame_interval_s == pytest.approx(2.0)
    assert (channel.channel_name, channel.selection.channel) == ("grün <1>", 1)
    level = here.inspect("a.zarr/0", channel="T cells")
    assert (level.pixel_size_um, level.frame_interval_s) == (pytest.approx(0.325), 1.0)


def test_scales_of_level_and_image_are_multiplied(here, movie, write_zarr):
    write_zarr(here / "a.zarr", movie(4, 30, 40), ["t", *SPACE], scale=[1.0, 0.5, 0.5])
    path = here / "a.zarr/zarr.json"
    meta = json.loads(path.read_text())
    image = meta["attributes"]["ome"]["multiscales"][0]
    image["axes"][0]["unit"] = "minute"
    image["coordinateTransformations"] = [{"type": "scale", "scale": [2.0, 3.0, 3.0]}]
    path.write_text(json.dumps(meta))
    channel = here.inspect("a.zarr")
    assert (channel.pixel_size_um, channel.frame_interval_s) == (1.5, 120.0)


def test_without_units_nothing_is_calibrated(here, movie, write_zarr):
    write_zarr(here / "a.zarr", movie(4, 30, 40), "tyx", scale=[30.0, 0.5, 0.5])
    channel = here.inspect("a.zarr")
    assert (channel.pixel_size_um, channel.frame_interval_s) == (None, None)
    assert here.inspect("a.zarr", pixel_size_um=0.4).pixel_size_um == 0.4


def test_array_alone(here, movie, write_zarr):
    whole = movie(4, 30, 40)
    write_zarr(here / "a.zarr", whole, "tyx")
    (here / "a.zarr/0").rename(here / "b.zarr")
    np.testing.assert_array_equal(here.read("b.zarr")[0], whole)
    write_zarr(here / "c.zarr", whole, "tyx", version="0.4")
    (here / "c.zarr/0").rename(here / "d.zarr")
    np.testing.assert_array_equal(here.read("d.zarr", axes="CYX", channel=2)[0], whole[2:3])


@pytest.mark.parametrize(
    "name", ["Zellen é µ.zarr", 'it\'s 50% "done"; rm -rf.zarr', "a[1-3]*?", "line\nbreak", "s3:"]
)
def test_hostile_names(here, movie, write_zarr, name):
    write_zarr(here / name, movie(2, 30, 40), "tyx")
    np.testing.assert_array_equal(here.read(name)[0], movie(2, 30, 40))


def test_memory_is_bounded(tmp_path):
    program = """
import resource, sys
from pathlib import Path
import numpy as np
import zarr
from cyto.io.channels import ChannelSpec, inspect_channel, materialize
folder = Path(sys.argv[1])
store = zarr.storage.LocalStore(folder / "a.zarr")
array = zarr.create_array(
    store, shape=(100, 1024, 1024), chunks=(1, 1024, 1024), dtype="u2",
    dimension_names=["t", "y", "x"],
)
frame = np.random.default_rng(0).integers(0, 60000, (1024, 1024), dtype="u2")
for t in range(100):
    frame[0, 0] = t
    array[t] = frame
channel = inspect_channel(ChannelSpec(name="n", path=str(folder / "a.zarr")))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ref = materialize(channel, folder)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
whole = np.load(ref.path, mmap_mode="r")
assert whole.nbytes == 200 << 20
assert (whole[:, 0, 0] == np.arange(100)).all()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 100_000  # kB
