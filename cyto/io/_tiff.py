"""TIFF files as tifffile sees them: looked at, and decoded page by page.

The only module that knows tifffile's reading side.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from cyto.errors import ChannelError
from cyto.io._axes import describe, resolve_axes
from cyto.io._calibration import Calibration, from_imagej, from_ome, from_tags
from cyto.io._layout import Raw, Source, c_strides
from cyto.io._truncation import check_pages, check_raw

# What tifffile logs about damaged files is said better in our errors.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_SIGNATURES = {
    b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a ZIP archive", b"GIF8": "a GIF image", b"%PDF": "a PDF document",
    b"\x93NUM": "a NumPy file", b"ND2": "an ND2 file", b"\xda\xce\xbe\x0a": "an ND2 file",
    b"ZISRAWFI": "a CZI file", b"versi": "a Git LFS pointer or a text file",
}  # fmt: skip


@contextmanager
def opened(path: str) -> Iterator[tuple[tifffile.TiffFile, tifffile.TiffPageSeries]]:
    """Open a TIFF file and its one image.

    Raises
    ------
    ChannelError
        Not a TIFF, damaged, or several images in one file.
    """
    try:
        with tifffile.TiffFile(path) as tif:
            yield tif, _the_series(tif, path)
    except ChannelError as error:
        error.path = error.path or path
        raise
    except OSError as error:
        raise ChannelError(
            f"cannot read {path}: {error.strerror or error}", path=path, hint="check its permissions"
        ) from error
    except tifffile.TiffFileError as error:
        raise _not_tiff(path, error) from error
    except Exception as error:  # a damaged file breaks tifffile in many ways
        raise ChannelError(
            f"{path} is damaged or truncated: {type(error).__name__}: {error}",
            path=path,
            hint="copy or export it again; tiffinfo or ImageJ may tell more",
        ) from error


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
        raw = _raw(tif, series, shape)
        if raw is None:
            check_pages(tif, series, path)
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


def _the_series(tif: tifffile.TiffFile, path: str) -> tifffile.TiffPageSeries:
    found = [s for s in tif.series if s.keyframe.shape and not s.keyframe.is_reduced]
    if not found:
        raise ChannelError(f"{path} holds no image", hint="it is damaged or truncated")
    if len(found) > 1:
        sizes = "; ".join(describe(s.axes, s.shape) for s in found[:4])
        raise ChannelError(
            f"{path} holds {len(found)} images of different shape or position: {sizes}",
            hint="save the one to analyse as a file of its own",
        )
    return found[0]


def _not_tiff(path: str, error: Exception) -> ChannelError:
    file = Path(path)
    if not file.stat().st_size:
        return ChannelError(f"{path} is empty (0 bytes)", path=path, hint="copy it again")
    with file.open("rb") as stream:
        head = stream.read(16)
    what = next((name for sign, name in _SIGNATURES.items() if head.startswith(sign)), "")
    return ChannelError(
        f"{path} is not a TIFF image" + (f" but {what}" if what else f" ({error})"),
        path=path,
        hint="pyCyto reads TIFF, OME-TIFF and ImageJ hyperstacks: convert it, in Fiji for example",
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


def _raw(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, shape: tuple[int, ...]
) -> Raw | None:
    """Say where the pixels are if they are plain numbers at regular steps in one file."""
    if series.is_multifile or series.dtype.kind == "b" or not series.keyframe.is_final:
        return None
    dtype = series.dtype.newbyteorder(tif.byteorder)
    offset, strides = series.dataoffset, c_strides(shape, dtype.itemsize)
    if offset is None:
        return _spaced(series, dtype, shape)
    path = str(tif.filehandle.path)
    return Raw(path=path, dtype=dtype.str, offset=offset, shape=shape, strides=strides)


def _spaced(
    series: tifffile.TiffPageSeries, dtype: np.dtype[np.generic], shape: tuple[int, ...]
) -> Raw | None:
    """Find pages at equal distances, as most writers leave them, with tags in between."""
    raise NotImplementedError


def _files(series: tifffile.TiffPageSeries, path: str) -> tuple[str, ...]:
    if not series.is_multifile:
        return (path,)
    pages = [page for page in series if page is not None]
    return tuple(dict.fromkeys(str(page.parent.filehandle.path) for page in pages))


def _calibration(tif: tifffile.TiffFile) -> Calibration:
    tags = tif.pages.first.tags
    resolution = [tags.valueof(code) for code in (282, 283)]
    if tif.is_ome:
        return from_ome(tif.ome_metadata)
    if tif.is_imagej:
        return from_imagej(tif.imagej_metadata or {}, *resolution)
    return from_tags(tags.valueof(296), *resolution)
