"""TIFFs whose pixels are plain numbers: where they lie."""

from __future__ import annotations

import math

import numpy as np
import tifffile

from cyto.io._layout import Raw, c_strides


def raw_pixels(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, shape: tuple[int, ...]
) -> Raw | None:
    """Say where the pixels are if they are plain numbers at regular steps in one file."""
    if series.is_multifile or series.dtype.kind == "b" or not series.keyframe.is_final:
        return None
    dtype = series.dtype.newbyteorder(tif.byteorder)
    offset, strides = series.dataoffset, c_strides(shape, dtype.itemsize)
    if offset is None:
        spaced = _spaced(series, dtype.itemsize, shape)
        if spaced is None:
            return None
        offset, strides = spaced
    path = str(tif.filehandle.path)
    return Raw(path=path, dtype=dtype.str, offset=offset, shape=shape, strides=strides)


def _spaced(
    series: tifffile.TiffPageSeries, itemsize: int, shape: tuple[int, ...]
) -> tuple[int, tuple[int, ...]] | None:
    """Find pages at equal distances, as most programs leave them, with tags in between."""
    lead = next((n for n in range(len(shape)) if math.prod(shape[:n]) == len(series)), 0)
    pages = [page for page in series if page is not None and page.dataoffsets]
    if not lead or len(pages) != len(series):
        return None
    starts = np.array([page.dataoffsets[0] for page in pages], dtype=np.int64)
    steps = np.unique(np.diff(starts))
    if len(steps) != 1 or steps[0] < series.keyframe.nbytes:
        return None
    if any(not _is_one_run(page) for page in pages):
        return None
    outer = c_strides(shape[:lead], int(steps[0]))
    return int(starts[0]), outer + c_strides(shape[lead:], itemsize)


def _is_one_run(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    """Whether a page's strips follow one another, whatever its keyframe says of the first."""
    ends = np.add(page.dataoffsets, page.databytecounts)
    return bool(np.array_equal(ends[:-1], page.dataoffsets[1:]))
