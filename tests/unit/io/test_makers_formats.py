"""ND2, CZI and LIF through bioio's readers: what they are asked, and all that can go wrong.

Nothing writes ND2, so a stand-in with bioio's interface takes the reader's place; real CZI and
LIF files are in ``test_makers_files.py``.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from cyto.errors import ChannelError
from cyto.io.channels import channel_digest, materialize


class Lazy:
    """An array that is read only when it is computed."""

    def __init__(self, array, read):
        self.array, self.read, self.shape = array, read, array.shape

    def __getitem__(self, index):
        part = self.array[index]
        self.read.append(part.size)
        return SimpleNamespace(compute=lambda **_: part)


class Reader:
    """What pyCyto uses of a bioio reader."""

    order = "TCZYX"
    movies: dict[str, np.ndarray]
    names = ("T cells", "grün <1>")
    read: list[int]

    def __init__(self, path):
        assert Path(path).is_file()
        self.set = 0
        self.physical_pixel_sizes = SimpleNamespace(Z=None, Y=0.325, X=0.325)
        self.time_interval = timedelta(seconds=90)
        self.channel_names = list(self.names)

    @property
    def scenes(self):
        return tuple(self.movies)

    def set_scene(self, number):
        self.set = number

    @property
    def _array(self):
        return self.movies[self.scenes[self.set]]

    @property
    def dims(self):
        return SimpleNamespace(order=self.order, shape=self._array.shape)

    @property
    def dtype(self):
        return self._array.dtype

    @property
    def dask_data(self):
        return Lazy(self._array, self.read)


@pytest.fixture
def nd2(here, movie, monkeypatch):
    """Stand in for bioio-nd2, with one scene of four frames and two channels."""
    attributes = {"movies": {"XYPos:0": movie(4, 2, 1, 30, 40)}, "read": []}
    reader = type("Reader", (Reader,), attributes)
    module = ModuleType("bioio_nd2")
    module.Reader = reader
    monkeypatch.setitem(sys.modules, "bioio_nd2", module)
    (here / "a é.ND2").write_bytes(b"\xda\xce\xbe\x0a not looked at")
    return reader


def refused(here, name, **spec):
    with pytest.raises(ChannelError) as caught:
        here.inspect(name, **spec)
    assert (caught.value.channel, caught.value.exit_code) == ("tcell", 2)
    return str(caught.value)


def test_frame_by_frame(here, movie, nd2):
    part = {"frames": (1, 4, 2), "crop": {"y": (3, 20)}}
    array, form, channel = here.read("a é.ND2", channel="grün <1>", **part)
    np.testing.assert_array_equal(array, movie(4, 2, 1, 30, 40)[1:4:2, 1, 0, 3:20])
    assert nd2.read == [17 * 40] * 2
    assert form == "npy"
    assert channel.files == (str(here / "a é.ND2"),)
    assert channel.pixel_size_um == 0.325
    assert channel.frame_interval_s == 180.0
    assert channel.channel_name == "grün <1>"


def test_axes_by_the_user(here, movie, nd2):
    nd2.movies = {"0": movie(1, 1, 5, 30, 40)}
    assert "5 Z slices" in refused(here, "a é.ND2")
    array, _, _ = here.read("a é.ND2", axes="TYX")
    np.testing.assert_array_equal(array, movie(5, 30, 40))


@pytest.mark.parametrize("scene", [1, "1", "Pos é"])
def test_scenes(here, movie, nd2, scene):
    nd2.movies = {"Pos 1": movie(4, 2, 1, 30, 40), "Pos é": movie(2, 2, 1, 20, 20) + 1}
    array, _, channel = here.read("a é.ND2", scene=scene, channel=0)
    np.testing.assert_array_equal(array, nd2.movies["Pos é"][:, 0, 0])
    nd2.movies["Pos 1"] = nd2.movies["Pos é"]
    other = here.inspect("a é.ND2", scene=0, channel=0)
    memory = here / "memory"
    assert channel_digest(channel, memory) != channel_digest(other, memory)


def test_scenes_that_are_not_there(here, movie, nd2):
    nd2.movies = {f"Pos {n}": movie(1, 1, 1, 3, 4) for n in range(9)}
    message = refused(here, "a é.ND2")
    assert "holds 9 images and none is picked: 0 (Pos 0), 1 (Pos 1)" in message
    assert "write scene:" in message
    assert "has no image 9: it has 9" in refused(here, "a é.ND2", scene=9)
    assert "did you mean 'Pos 8'" in refused(here, "a é.ND2", scene="Pos8")


def test_what_no_channel_can_be(here, movie, nd2):
    assert "has 2 channels and none is picked: 0 (T cells), 1 (grün <1>)" in refused(
        here, "a é.ND2"
    )
    nd2.order, nd2.movies = "YXS", {"0": movie(30, 40, 3)}
    assert "greyscale" in refused(here, "a é.ND2")
    nd2.order, nd2.movies = "YX", {"0": np.zeros((3, 4), complex)}
    assert "complex128" in refused(here, "a é.ND2")


@pytest.mark.parametrize("broken", ["__init__", "scenes", "set_scene", "dims", "dtype"])
def test_damaged(here, nd2, broken):
    def fail(*_):
        raise RuntimeError("chunk map\nis lost")

    setattr(nd2, broken, fail if broken in {"__init__", "set_scene"} else property(fail))
    assert "bioio-nd2 cannot read" in refused(here, "a é.ND2", channel=0)


def test_changed_or_damaged_between_looking_and_reading(here, movie, nd2, monkeypatch):
    channel = here.inspect("a é.ND2", channel=0)
    nd2.movies = {"XYPos:0": movie(4, 2, 1, 30, 41)}
    with pytest.raises(ChannelError, match="not what it was a moment ago"):
        materialize(channel, here / "out")
    monkeypatch.setattr(Lazy, "__getitem__", lambda *_: 1 / 0)
    nd2.movies = {"XYPos:0": movie(4, 2, 1, 30, 40)}
    with pytest.raises(ChannelError, match=r"bioio-nd2 cannot read .*ZeroDivisionError"):
        materialize(channel, here / "out")
    assert list((here / "out").iterdir()) == []


def test_a_folder_of_them(here, movie, nd2):
    (here / "frames").mkdir()
    for name in ("f2.nd2", "f10.nd2", "notes.txt"):
        (here / "frames" / name).write_bytes(b"x")
    array, _, channel = here.read("frames", channel=0)
    assert [Path(f).name for f in channel.files] == ["f2.nd2", "f10.nd2"]
    np.testing.assert_array_equal(array, np.tile(movie(4, 2, 1, 30, 40)[:, 0, 0], (2, 1, 1)))


@pytest.mark.parametrize("kind", ["nd2", "czi", "lif"])
def test_without_the_library(tmp_path, kind):
    program = f"""
import sys
sys.modules["bioio_{kind}"] = None
from cyto.errors import ChannelError
from cyto.io.channels import ChannelSpec, inspect_channel
try:
    inspect_channel(ChannelSpec(name="n", path=sys.argv[1]))
except ChannelError as error:
    assert "needs the package bioio-{kind}" in str(error), error
    assert "pip install 'pycyto[formats]'" in str(error), error
else:
    sys.exit("read")
"""
    (tmp_path / f"a.{kind}").write_bytes(b"x")
    subprocess.run([sys.executable, "-c", program, str(tmp_path / f"a.{kind}")], check=True)
