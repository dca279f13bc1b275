"""TIFF files, looked at without reading their pixels."""

from __future__ import annotations

import math

import numpy as np
import tifffile

from cyto.errors import ChannelError
from cyto.io._axes import describe, resolve_axes
from cyto.io._calibration import Calibration, from_imagej, from_ome, from_tags
from cyto.io._layout import Source
from cyto.io._opening import opened
from cyto.io._segments import raw_pixels
from cyto.io._truncation import check_directory, check_pages, check_raw


def inspect_tiff(path: str, axes: str | None, pick: bool, calibrate: bool) -> Source:
    """Look at one file without reading its pixels.

    Parameters
    ----------
    path
        The file.
    axes, pick
        As `resolve_axes` has them.
    calibrate
        Whether the file's pixel size is wanted; not when the user gave one.

    Raises
    ------
    ChannelError
        The file is not there, not a TIFF, truncated, or no image that pyCyto can use.
    """
    with opened(path) as (tif, series):
        _check_metadata(tif, series, path, overridden=axes is not None)
        names, shape = resolve_axes(
            series.get_axes(False), series.get_shape(False), asked=axes, pick=pick
        )
        _check_pixels(series, path)
        check_directory(tif, series, path)
        raw = raw_pixels(tif, series, shape)
        if raw is None:
            check_pages(series, path)
        else:
            check_raw(raw)
        page_ndim = _page_ndim(shape, series.keyframe.size)
        if raw is None and math.prod(shape[: len(shape) - page_ndim]) != len(series):
            raise ChannelError(
                f"{path} holds {len(series)} planes, which do not make {describe(names, shape)}",
                hint="its metadata are damaged, or it is truncated",
            )
        calibration = _calibration(tif)
        return Source(
            path=path,
            files=_files(series, path),
            axes=names,
            shape=shape,
            dtype=_decoded_dtype(series.dtype).str,
            page_ndim=page_ndim,
            raw=raw,
            pixel_size_um=calibration.pixel_size_um() if calibrate else None,
            frame_interval_s=calibration.frame_interval_s,
            channel_names=calibration.channel_names,
        )


def _check_metadata(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: str, overridden: bool
) -> None:
    """Refuse a file whose own words about its dimensions tifffile found not to fit."""
    for kind, name in (("ome", "OME"), ("imagej", "ImageJ"), ("shaped", "shape")):
        if getattr(tif, f"is_{kind}") and series.kind == "generic" and not overridden:
            raise ChannelError(
                f"the {name} metadata of {path} do not fit its {len(tif.pages)} pages:"
                " it is truncated or damaged",
                hint="export it again, or write axes: beside the path to say what the pages are",
            )


def _check_pixels(series: tifffile.TiffPageSeries, path: str) -> None:
    dtype, page = series.dtype, series.keyframe
    if dtype.kind not in "buif":
        raise ChannelError(f"{path} has pixels of type {dtype}", hint="save it as real numbers")
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
        tifffile.TIFF.UNPREDICTORS[page.predictor]
    except KeyError as error:
        name = getattr(page.compression, "name", page.compression)
        raise ChannelError(
            f"{path} is compressed with {name}, which needs the package imagecodecs",
            hint="pip install 'pycyto[compression]'",
        ) from error


def _decoded_dtype(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """Give the native type that pixels are handed on in: bits become bytes."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")


def _page_ndim(shape: tuple[int, ...], size: int) -> int:
    """Count the last dimensions that one page of *size* pixels fills."""
    return next((n for n in range(len(shape) + 1) if math.prod(shape[-n:] if n else ()) == size), 0)


def _files(series: tifffile.TiffPageSeries, path: str) -> tuple[str, ...]:
    if not series.is_multifile:
        return (path,)
    pages = [page for page in series if page is not None]
    return tuple(dict.fromkeys(str(page.parent.filehandle.path) for page in pages))


def _calibration(tif: tifffile.TiffFile) -> Calibration:
    tags = tif.pages.first.tags
    resolution = [tags.valueof(code) for code in (282, 283)]
    if tif.is_ome:
        return from_ome(tif.ome_metadata or "")
    if tif.is_imagej:
        return from_imagej(tif.imagej_metadata or {}, *resolution)
    return from_tags(tags.valueof(296), *resolution)
