"""Images and labels written as OME-TIFF, frame by frame."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyto.errors import TaskOutputError
from cyto.io._pixels import (
    Array,
    Compression,
    as_movie,
    check_label,
    refused_compression,
    value_range,
)
from cyto.io._streaming import streamed
from cyto.io.whole import replacing

_CLASSIC_BYTES = (1 << 32) - (1 << 26)
_OME = {"uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64"}


@dataclass(frozen=True, kw_only=True)
class Context:
    """What travels with an image.

    Parameters
    ----------
    pixel_size_um, frame_interval_s
        ``None`` when not known; the file then says nothing.
    channel
        Its name.
    """

    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    channel: str | None = None


def write_ome_tiff(
    path: Path,
    array: Array,
    context: Context,
    *,
    label: bool = False,
    compression: Compression | None = None,
) -> None:
    """Write a (T, Y, X) or (Y, X) array; the same array always gives the same bytes.

    BigTIFF from 4 GB on. Types that OME does not have are written in the nearest that holds
    every value: labels as uint32, 64-bit integers as 32-bit ones where they fit, else as float64.

    Parameters
    ----------
    path
        The file; replaced only when the new one is complete.
    array
        Any real type; a memory map is read frame by frame.
    context
        Calibration.
    label
        Whether values are object numbers: never turned into floats.
    compression
        ``zstd``, level 1 with a predictor; ``zlib``, which old readers know, with a predictor
        for integers; ``none``. ``None`` is zstd, or zlib where imagecodecs is not installed.

    Raises
    ------
    TaskOutputError
        Not (T, Y, X), without pixels, complex, a label that does not fit 32 bits, or a
        compression that cannot be written.
    """
    import tifffile

    frames = as_movie(array, path.name.removesuffix(".ome.tif"))
    dtype = _stored_dtype(frames, label, path)
    options = _compression(dtype, compression, path.name.removesuffix(".ome.tif"))
    with (
        replacing(path) as temporary,
        tifffile.TiffWriter(temporary, ome=True, bigtiff=_is_big(frames, dtype)) as writer,
    ):
        writer.write(
            streamed(frames, dtype),
            shape=frames.shape,
            dtype=dtype,
            photometric="minisblack",
            metadata=_metadata(frames, dtype, context, path),
            **options,
            **_resolution(context.pixel_size_um),
        )


def _stored_dtype(frames: Array, label: bool, path: Path) -> np.dtype[Any]:
    dtype: np.dtype[Any] = frames.dtype.newbyteorder("=")
    if label:
        check_label(dtype, path.name.removesuffix(".ome.tif"))
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.name in _OME and not (label and dtype.kind == "i"):
        return dtype
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    low, high = value_range(frames)
    for name in ("uint32",) if label else ("int32", "uint32"):
        if np.iinfo(name).min <= low and high <= np.iinfo(name).max:
            return np.dtype(name)
    if label:
        raise TaskOutputError(
            f"holds labels from {low} to {high}, TIFF holds 0 to {np.iinfo('uint32').max}",
            key=path.name.removesuffix(".ome.tif"),
            hint="number the objects anew, from 1",
        )
    return np.dtype(np.float64)


def _is_big(frames: Array, dtype: np.dtype[Any]) -> bool:
    """Whether the file may pass 4 GB, with a little for what does not compress."""
    return frames.size * dtype.itemsize * 33 // 32 + len(frames) * 4096 > _CLASSIC_BYTES


def _compression(dtype: np.dtype[Any], asked: str | None, name: str) -> dict[str, Any]:
    installed = importlib.util.find_spec("imagecodecs") is not None
    kind = asked or ("zstd" if installed else "zlib")
    if kind == "none":
        return {}
    if kind == "zlib":
        # what every reader knows; tifffile needs no imagecodecs for it
        return {
            "compression": kind,
            "compressionargs": {"level": 1},
            "predictor": dtype.kind in "ui",
        }
    if kind != "zstd":
        raise refused_compression(kind, name)
    if not installed:
        raise refused_compression(kind, name, "imagecodecs")
    return {"compression": kind, "compressionargs": {"level": 1}, "predictor": True}


def _metadata(
    frames: Array, dtype: np.dtype[Any], context: Context, path: Path
) -> dict[str, object]:
    """Give what becomes OME-XML; its UUID comes from the contents' description, not from chance."""
    import uuid

    meta: dict[str, object] = {"axes": "TYX"}
    if context.pixel_size_um:
        for axis in "XY":
            meta[f"PhysicalSize{axis}"] = float(context.pixel_size_um)
            meta[f"PhysicalSize{axis}Unit"] = "µm"
    if context.frame_interval_s:
        meta |= {"TimeIncrement": float(context.frame_interval_s), "TimeIncrementUnit": "s"}
    if context.channel:
        meta["Channel"] = {"Name": context.channel}
    described = f"pycyto {path.name} {frames.shape} {dtype.str} {meta}"
    return meta | {"UUID": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, described)}"}


def _resolution(pixel_size_um: float | None) -> dict[str, Any]:
    """Give the plain TIFF tags too, for programs that do not read OME-XML."""
    if not pixel_size_um:
        return {}
    per_cm = 1e4 / pixel_size_um
    return {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
