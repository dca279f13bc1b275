"""Image files that end too early, told from their headers."""

from __future__ import annotations

import os
import struct

import numpy as np
import tifffile

from cyto.errors import ChannelError
from cyto.io._layout import Raw

_CHAINED = {"ome", "imagej", "shaped", "uniform", "generic"}
_COUNTED = {"imagej", "shaped", "ome"}  # their metadata say how many pages there are
# Descriptions and where pixels are; a damaged private tag is no reason to refuse an image.
_TELLING = {270, 273, 279, 324, 325, 50838, 50839}
_TYPE_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def check_raw(raw: Raw) -> None:
    """Raise `ChannelError` if the file ends before its last pixel."""
    itemsize = np.dtype(raw.dtype).itemsize
    last = sum((n - 1) * step for n, step in zip(raw.shape, raw.strides, strict=True))
    _check_end(raw.path, raw.offset + last + itemsize)


def check_pages(series: tifffile.TiffPageSeries, path: str) -> None:
    """Raise `ChannelError` if a page is missing or lies beyond the end of its file."""
    sizes: dict[str, int] = {}
    for index, page in enumerate(series):
        if page is None:
            raise ChannelError(
                f"{path}: plane {index + 1} of {len(series)} is missing",
                path=path,
                hint="the file is truncated, or another file that it points to is not there",
            )
        file = str(page.parent.filehandle.path)
        if file not in sizes:
            sizes[file] = os.path.getsize(file)  # noqa: PTH202
        if not page.dataoffsets:
            raise ChannelError(f"{file} is damaged: page {index + 1} has no data", path=file)
        end = max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=False)))
        if end > sizes[file]:
            _check_end(file, end)


def _check_end(path: str, end: int) -> None:
    size = os.path.getsize(path)  # noqa: PTH202
    if end > size:
        raise ChannelError(
            f"{path} is truncated: it ends at byte {size:,}, its pixels at {end:,}",
            path=path,
            hint="copy or export it again",
        )


def check_directory(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: str) -> None:
    """Raise `ChannelError` if the list of pages or the first one's metadata break off.

    tifffile only logs that, and goes on with the pages that are left.
    """
    if series.kind not in _CHAINED or series.is_multifile:
        return
    _check_tags(tif, path)
    if series.dataoffset is None or series.kind not in _COUNTED:
        _check_chain(tif, path)


def _check_tags(tif: tifffile.TiffFile, path: str) -> None:
    file, layout = tif.filehandle, tif.tiff
    file.seek(tif.pages.first.offset)
    (count,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    for _ in range(count):
        entry = file.read(layout.tagsize)
        half = struct.calcsize(layout.tagformat1)
        code, kind = struct.unpack(layout.tagformat1, entry[:half])
        number, value = struct.unpack(layout.tagformat2, entry[half:])
        size = _TYPE_BYTES.get(kind, 1) * number
        if code in _TELLING and size > layout.tagoffsetthreshold:
            _check_end(path, struct.unpack(layout.offsetformat, value)[0] + size)


def _check_chain(tif: tifffile.TiffFile, path: str) -> None:
    position = tif.pages.next_page_offset
    if position is None:
        return
    tif.filehandle.seek(position)
    raw = tif.filehandle.read(tif.tiff.offsetsize)
    following = struct.unpack(tif.tiff.offsetformat, raw)[0] if raw else -1
    if following:
        raise ChannelError(
            f"{path} is truncated or damaged: its list of pages breaks off after {len(tif.pages)}",
            path=path,
            hint="copy or export it again",
        )
