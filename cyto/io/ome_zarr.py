"""Images and labels written as OME-Zarr 0.5, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cyto.errors import TaskOutputError
from cyto.io._ngff_text import AXES, image_attributes, label_attributes, labels_attributes
from cyto.io._pixels import (
    Array,
    Compression,
    as_movie,
    check_label,
)
from cyto.io._pyramid import halved, level_shapes
from cyto.io._streaming import streamed
from cyto.io._zarr_codecs import check_compression, codec_of
from cyto.io._zarr_dtypes import widened, window, zarr_dtype
from cyto.io._zarr_nodes import is_zarr
from cyto.io.images import Context
from cyto.io.whole import replacing_folder

if TYPE_CHECKING:
    import zarr

_CHUNK_PX = 1024
# what is blank is written too, so that a chunk that is not there is one that was lost
_WHOLE: Any = {"write_empty_chunks": True}


def write_ome_zarr(
    path: Path,
    image: Array,
    context: Context,
    *,
    labels: Mapping[str, Array] | None = None,
    label: bool = False,
    compression: Compression | None = None,
) -> None:
    """Write a (T, Y, X) or (Y, X) image, and label images of it, as one OME-Zarr folder.

    Axes are t, c (of size 1), y, x; sizes are halved until both sides are below 256 pixels;
    a chunk is one frame, at most 1024 × 1024 pixels of it. Half-precision floats are written
    as float32, truth values as uint8, labels as unsigned integers.

    Parameters
    ----------
    path
        The folder, by custom ``*.ome.zarr``; an older OME-Zarr there is replaced by a complete
        one only.
    image
        Any real type; a memory map is read frame by frame.
    context
        Calibration and channel name.
    labels
        Label images by name, each of the shape of *image*; they become ``labels/<name>``.
    label
        Whether *image* holds object numbers itself: its sizes are then never averaged.
    compression
        ``zstd`` level 1 (the default), on shuffled bytes for images, in Blosc's frame, which the
        Zarr specification itself has; ``zlib`` or ``none``.

    Raises
    ------
    TaskOutputError
        zarr is not installed; not (T, Y, X), without pixels, complex; labels that are negative,
        no integers, or not of the image's shape; a name that cannot be a folder's; something
        else than an OME-Zarr at *path*.

    Notes
    -----
    Holds one frame and its smaller sizes in memory.
    """
    name = path.name.removesuffix(".zarr").removesuffix(".ome")
    check_compression(compression, name)
    frames = _movie(image, name, label)
    movies = {key: _movie(value, key, True) for key, value in (labels or {}).items()}
    for key, movie in movies.items():
        _check_label_image(key, movie, frames)
    _check_place(path, name)
    with replacing_folder(path) as temporary:
        root = _group(temporary)
        _write_image(root, name, frames, context, compression, label=label, source=False)
        if movies:
            inside = root.create_group("labels", attributes=labels_attributes(list(movies)))
            for key, movie in movies.items():
                group = inside.create_group(key)
                _write_image(group, key, movie, context, compression, label=True, source=True)


def _write_image(
    group: zarr.Group,
    name: str,
    frames: Array,
    context: Context,
    compression: str | None,
    *,
    label: bool,
    source: bool,
) -> None:
    dtype = zarr_dtype(frames, name, label)
    shapes = level_shapes(*frames.shape[1:])
    codec = codec_of(compression, label)
    levels = [_level(group, n, (len(frames), *yx), dtype, codec) for n, yx in enumerate(shapes)]
    low, high = np.inf, -np.inf
    for t, frame in enumerate(streamed(frames, dtype)):
        if not label:
            low, high = widened(low, high, frame)
        level_frame = frame
        for number, level in enumerate(levels):
            level_frame = halved(level_frame, label=label) if number else frame
            level[t, 0] = level_frame
    if label:
        group.update_attributes(label_attributes(name, len(levels), context, source=source))
    else:
        ends = window(dtype, low, high)
        group.update_attributes(image_attributes(name, len(levels), context, ends))


def _level(
    group: zarr.Group, number: int, shape: tuple[int, int, int], dtype: np.dtype[Any], codec: Any
) -> zarr.Array[Any]:
    frames, height, width = shape
    return group.create_array(
        str(number),
        shape=(frames, 1, height, width),
        chunks=(1, 1, min(height, _CHUNK_PX), min(width, _CHUNK_PX)),
        dtype=dtype,
        compressors=codec,
        fill_value=0,
        dimension_names=list(AXES),
        config=_WHOLE,
    )


def _group(folder: Path) -> zarr.Group:
    import zarr

    return zarr.create_group(zarr.storage.LocalStore(folder), zarr_format=3)


def _movie(array: Array, name: str, label: bool) -> Array:
    frames = as_movie(np.asanyarray(array), name)
    if label:
        check_label(frames.dtype, name)
    return frames


def _check_label_image(name: str, movie: Array, frames: Array) -> None:
    if not name or name in {".", ".."} or name.startswith("__") or {"/", "\\", "\0"} & set(name):
        raise TaskOutputError(
            f"a label image cannot be called {name!r}", key=name, hint="give it a plain name"
        )
    if movie.shape != frames.shape:
        raise TaskOutputError(
            f"is a label image of shape {movie.shape}, its image of {frames.shape}",
            key=name,
            hint="they must have the same frames and pixels",
        )


def _check_place(path: Path, name: str) -> None:
    """Never delete what is no OME-Zarr."""
    if path.is_dir() and (is_zarr(path) or not any(path.iterdir())):
        return
    if path.exists() or path.is_symlink():
        raise TaskOutputError(
            f"cannot be written: {path} is there and is no OME-Zarr",
            key=name,
            hint="move it away, or choose another name",
        )
