"""What the tests of input share: movies with every pixel different, and a plain reader."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cyto.core.request import Ref
from cyto.io.channels import Channel, ChannelSpec, inspect_channel, materialize


def movie(*shape, dtype="uint16"):
    """Give an array whose pixels all differ, as far as the type goes."""
    return (np.arange(np.prod(shape)).reshape(shape) * 7 % 60013).astype(dtype)


def load(ref: Ref) -> np.ndarray:
    """Read a reference in the most literal way."""
    assert ref.kind == "image"
    if ref.format == "npy":
        array = np.load(ref.path)
        assert (array.dtype.str, array.shape) == (ref.dtype, ref.shape)
        return array
    assert ref.format == "array"
    buffer = Path(ref.path).read_bytes()
    return np.ndarray(ref.shape, ref.dtype, buffer, ref.offset, ref.strides)


class Folder:
    """Looks at channels below one folder and reads them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def inspect(self, name: str, **spec) -> Channel:
        return inspect_channel(ChannelSpec(name="tcell", path=str(self.path / name), **spec))

    def read(self, name: str, **spec) -> tuple[np.ndarray, str, Channel]:
        """Give pixels, the format of their reference, and the channel."""
        channel = self.inspect(name, **spec)
        ref = materialize(channel, self.path / "out")
        array = load(ref)
        assert array.shape == channel.shape
        assert array.dtype.str == channel.dtype
        assert array.dtype.isnative
        return array, ref.format, channel


@pytest.fixture
def here(tmp_path: Path) -> Folder:
    """Give a folder for images."""
    return Folder(tmp_path)


@pytest.fixture(name="movie")
def movie_fixture():
    """Give the function that makes movies."""
    return movie


def write_zarr(folder, whole, axes, *, version="0.5", attributes=None, scale=None, **options):
    """Write an OME-Zarr of one level with zarr itself, its metadata by hand.

    *axes* are mappings or single letters; *attributes* are put beside ``multiscales``.
    """
    zarr = pytest.importorskip("zarr")
    axes = [{"name": a} if isinstance(a, str) else a for a in axes]
    steps = [{"type": "scale", "scale": scale or [1.0] * whole.ndim}]
    dataset = {"path": "0", "coordinateTransformations": steps}
    entry = {"axes": axes, "datasets": [dataset]} | (
        {} if version == "0.5" else {"version": version}
    )
    ome = {"multiscales": [entry]} | (attributes or {})
    folder.mkdir(parents=True, exist_ok=True)
    if version == "0.5":
        meta = {"zarr_format": 3, "node_type": "group"}
        meta["attributes"] = {"ome": {"version": version} | ome}
        (folder / "zarr.json").write_text(json.dumps(meta))
        options.setdefault("dimension_names", [a["name"] for a in axes])
    else:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(ome))
        options.setdefault("chunk_key_encoding", {"name": "v2", "separator": "/"})
        options["zarr_format"] = 2
    options.setdefault("chunks", (1,) * (whole.ndim - 2) + whole.shape[-2:])
    array = zarr.create_array(
        zarr.storage.LocalStore(folder / "0"), shape=whole.shape, dtype=whole.dtype, **options
    )
    array[...] = whole


@pytest.fixture(name="write_zarr")
def write_zarr_fixture():
    """Give the function that writes OME-Zarr images."""
    return write_zarr
