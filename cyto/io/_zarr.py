"""OME-Zarr folders, looked at without reading their pixels, and read frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cyto.errors import ChannelError
from cyto.io._axes import resolve_axes
from cyto.io._indexing import Frame, as_frames, blocks, position_of, where
from cyto.io._layout import Selection, Source
from cyto.io._ngff import NAMELESS, axes_of, calibration_of, channel_names_of, understood
from cyto.io._ordered import in_order
from cyto.io._zarr_nodes import METADATA, find_image

if TYPE_CHECKING:
    import zarr

INSTALL = "pip install 'pycyto[zarr]'"
_WORKERS = 4
_BLOCK_BYTES = 256 << 20


def inspect_zarr(
    path: str, axes: str | None, pick: bool, calibrate: bool, scene: int | str | None
) -> Source:
    """Look at the image in a Zarr folder: OME-Zarr up to 0.5, or an array alone.

    Parameters
    ----------
    path
        The folder.
    axes, pick, calibrate
        As `cyto.io._tiff.inspect_tiff` has them.
    scene
        Which image of a folder with several.

    Raises
    ------
    ChannelError
        The library zarr is not installed, or there is no image that pyCyto can use.

    Notes
    -----
    A chunk that is not there is blank, as the format has it, not a sign of a truncated copy; only
    an array without any is refused.
    """
    with understood(Path(path)):
        image = find_image(Path(path), scene)
        calibration = calibration_of(image)
    folder = image.array.folder
    array = _open(folder, image.array.meta)
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "buif":
        raise ChannelError(f"{path} has pixels of type {dtype}", hint="save it as real numbers")
    with understood(Path(path)):
        letters = NAMELESS * array.ndim if axes else axes_of(image, array.ndim)
    names, shape = resolve_axes(letters, array.shape, asked=axes, pick=pick)
    files = _files(folder)
    source = Source(
        path=path,
        files=files,
        axes=names,
        shape=shape,
        dtype=(np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")).str,
        page_ndim=0,
        reader="zarr",
        folder=str(folder),
        pixel_size_um=calibration.pixel_size_um() if calibrate else None,
        frame_interval_s=calibration.frame_interval_s,
    )
    with understood(Path(path)):
        return source.named(channel_names_of(image, source.size("C")))


def read_zarr(source: Source, part: Selection, frames: Iterable[int]) -> Iterator[Frame]:
    """Give *frames* of one Zarr image in order, as C-contiguous (Y, X) arrays.

    Raises
    ------
    ChannelError
        A chunk is damaged, or the image is not what it was when it was looked at.

    Notes
    -----
    Reads as many frames at once as share a chunk, up to 256 MB; frames in chunks of their own
    are decoded on up to four threads.
    """
    array = _open(Path(source.folder), None)
    position = position_of(source, array.shape, "T")
    per_chunk = 1 if position is None else int(array.chunks[position])
    fitting = max(1, _BLOCK_BYTES // max(1, np.dtype(source.dtype).itemsize * _pixels(part)))
    length = min(per_chunk, fitting)
    workers = min(_WORKERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="zarr") as pool:
        jobs = (partial(_block, source, array, b) for b in blocks(source, part, frames, length))
        for block in in_order(pool, jobs, workers + 1 if length == 1 else 1):
            yield from block


def _pixels(part: Selection) -> int:
    return part.shape[1] * part.shape[2]


def _block(source: Source, array: zarr.Array[Any], part: Selection) -> Frame:
    index = where(source, array.shape, part)
    if index is None:
        raise ChannelError(
            f"{source.path} is not what it was a moment ago",
            path=source.path,
            hint="wait until nothing writes to it any more, then run again",
        )
    try:
        block = np.asarray(array[index])
    except Exception as error:  # codecs break in many ways on a damaged chunk
        raise ChannelError(
            f"{source.path} is damaged at frame {part.frames[0]}: {type(error).__name__}: {error}",
            path=source.path,
            hint="copy or export it again",
        ) from error
    return as_frames(source, array.shape, block)


def _open(folder: Path, meta: Any) -> zarr.Array[Any]:
    try:
        import zarr
    except ImportError as error:
        raise ChannelError(
            f"{folder} is a Zarr image, which needs the package zarr",
            path=str(folder),
            hint=f"{INSTALL} (Python 3.11 or newer)",
        ) from error
    if _pickles(meta):
        raise ChannelError(
            f"{folder} is encoded with pickle, which can run any program when it is read",
            path=str(folder),
            hint="export it again as numbers",
        )
    try:
        # not a text, which may look like the address of something remote
        return zarr.open_array(zarr.storage.LocalStore(folder, read_only=True), mode="r")
    except Exception as error:  # so many ways to be wrong
        raise ChannelError(
            f"{folder} is no Zarr array that can be read: {type(error).__name__}: {error}",
            path=str(folder),
            hint="it is damaged, or made by a newer program: export it again",
        ) from error


def _pickles(meta: Any) -> bool:
    """Whether any codec of an array, at any depth, is pickle."""
    if isinstance(meta, dict):
        named = f"{meta.get('id')} {meta.get('name')}".lower()
        return "pickle" in named or any(_pickles(value) for value in meta.values())
    return isinstance(meta, list) and any(_pickles(value) for value in meta)


def _files(folder: Path) -> tuple[str, ...]:
    """Give all files of an array, its own metadata among them."""
    found = [
        os.path.join(place, name)  # noqa: PTH118 (there may be very many)
        for place, _, names in os.walk(folder.absolute())
        for name in names
    ]
    if all(os.path.basename(name) in METADATA for name in found):  # noqa: PTH119
        raise ChannelError(
            f"{folder} holds no pixels: none of its chunks is there",
            path=str(folder),
            hint="copy or export it again",
        )
    return tuple(sorted(found))
