"""ND2, CZI and LIF files, through the readers of the bioio project."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cyto.errors import ChannelError, nearest
from cyto.io._axes import resolve_axes
from cyto.io._calibration import Calibration
from cyto.io._indexing import Frame, as_frames, where
from cyto.io._layout import Selection, Source

READERS = {".nd2": "bioio_nd2", ".czi": "bioio_czi", ".lif": "bioio_lif"}
INSTALL = "pip install 'pycyto[formats]'"
_SHOWN = 8


def inspect_bioio(
    path: str, axes: str | None, pick: bool, calibrate: bool, scene: int | str | None
) -> Source:
    """Look at a microscope maker's file without reading its pixels.

    Parameters
    ----------
    path
        The file; its suffix says which reader is needed.
    axes, pick, calibrate
        As `cyto.io._tiff.inspect_tiff` has them.
    scene
        Which image of a file with several: a number from 0, or its name.

    Raises
    ------
    ChannelError
        The reader is not installed, the file is damaged, or holds no image that pyCyto can use.
    """
    reader = _open(path)
    try:
        number = _pick(path, [str(name) for name in reader.scenes], scene)
        reader.set_scene(number)
        order, whole = str(reader.dims.order), tuple(int(n) for n in reader.dims.shape)
        dtype, calibration = np.dtype(reader.dtype), _calibration(reader)
    except ChannelError:
        raise
    except Exception as error:  # every reader has its own errors
        raise _damaged(path, error) from error
    names, shape = resolve_axes(order, whole, asked=axes, pick=pick)
    if dtype.kind not in "buif":
        raise ChannelError(f"{path} has pixels of type {dtype}", hint="save it as real numbers")
    source = Source(
        path=path,
        files=(path,),
        axes=names,
        shape=shape,
        dtype=(np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")).str,
        page_ndim=0,
        reader="bioio",
        scene=number,
        pixel_size_um=calibration.pixel_size_um() if calibrate else None,
        frame_interval_s=calibration.frame_interval_s,
    )
    known = len(calibration.channel_names) == source.size("C")
    return source.named(calibration.channel_names if known else ())


def read_bioio(source: Source, part: Selection, frames: Iterable[int]) -> Iterator[Frame]:
    """Give *frames* of one file in order, as C-contiguous (Y, X) arrays.

    Raises
    ------
    ChannelError
        The file is damaged, or not what it was when it was looked at.

    Notes
    -----
    One frame at a time, through the reader's lazy array.
    """
    reader = _open(source.path)
    try:
        reader.set_scene(source.scene)
        lazy = reader.dask_data
    except Exception as error:
        raise _damaged(source.path, error) from error
    for t in frames:
        index = where(source, lazy.shape, part.of_one_frame(t))
        if index is None:
            raise ChannelError(
                f"{source.path} is not what it was a moment ago",
                path=source.path,
                hint="wait until nothing writes to it any more, then run again",
            )
        try:
            block = np.asarray(lazy[index].compute(scheduler="synchronous"))
        except Exception as error:
            raise _damaged(source.path, error) from error
        yield as_frames(source, lazy.shape, block)[0]


def _open(path: str) -> Any:
    suffix = Path(path).suffix.lower()
    try:
        module = importlib.import_module(READERS[suffix])
    except ImportError as error:
        kind = suffix[1:].upper()
        raise ChannelError(
            f"{path} is of the format {kind}, which needs the package {_package(suffix)}: {error}",
            path=path,
            hint=f"{INSTALL}, or export it as an OME-TIFF",
        ) from error
    try:
        return module.Reader(path)
    except Exception as error:
        raise _damaged(path, error) from error


def _package(suffix: str) -> str:
    return READERS[suffix].replace("_", "-")


def _damaged(path: str, error: Exception) -> ChannelError:
    package = _package(Path(path).suffix.lower())
    return ChannelError(
        f"{package} cannot read {path}: {type(error).__name__}: {error}",
        path=path,
        hint="it is damaged or of another kind: export it again, or as an OME-TIFF",
    )


def _pick(path: str, scenes: Sequence[str], asked: int | str | None) -> int:
    if asked is None and len(scenes) == 1:
        return 0
    if isinstance(asked, str) and asked in scenes:
        return scenes.index(asked)
    if asked is None:
        shown = ", ".join(f"{i} ({name})" for i, name in enumerate(scenes[:_SHOWN]))
        more = ", …" if len(scenes) > _SHOWN else ""
        raise ChannelError(
            f"{path} holds {len(scenes)} images and none is picked: {shown}{more}",
            hint="write scene: and its number or name beside the path",
        )
    if str(asked).isdecimal() and int(asked) < len(scenes):
        return int(asked)
    raise ChannelError(
        f"{path} has no image {asked!r}: it has {len(scenes)}, numbered from 0",
        hint=nearest(str(asked), list(scenes), what="image"),
        key="scene",
    )


def _calibration(reader: Any) -> Calibration:
    sizes, interval = reader.physical_pixel_sizes, reader.time_interval
    seconds = interval.total_seconds() if isinstance(interval, timedelta) else None
    return Calibration(
        x_um=_positive(sizes.X),
        y_um=_positive(sizes.Y),
        frame_interval_s=_positive(seconds),
        channel_names=tuple(str(name) for name in reader.channel_names or ()),
    )


def _positive(value: float | None) -> float | None:
    return float(value) if value and 0 < value < float("inf") else None
