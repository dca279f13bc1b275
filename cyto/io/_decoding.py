"""Frames read one after the other, a few ahead, never the whole movie."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
import tifffile

from cyto.errors import ChannelError
from cyto.io._layout import Raw, Selection, Source, select_raw
from cyto.io._opening import opened
from cyto.io._ordered import Job, in_order

Frame = npt.NDArray[np.generic]
Page = tifffile.TiffPage | tifffile.TiffFrame
_WORKERS = 4


def read_tiffs(sources: Sequence[Source], part: Selection) -> Iterator[Frame]:
    """Give the frames of *part* in order, as C-contiguous (Y, X) arrays in native byte order.

    Parameters
    ----------
    sources
        Files of equal shape, one after the other along T.
    part
        What to read of them.

    Raises
    ------
    ChannelError
        A file is damaged, or not what it was when it was looked at.

    Notes
    -----
    Holds a few decoded frames at most; decodes on up to four threads.
    """
    per_file = sources[0].size("T")
    wanted = [divmod(t, per_file) for t in range(*part.frames)]
    workers = min(_WORKERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        if per_file == 1:
            jobs = (partial(_single, sources[number], part) for number, _ in wanted)
            yield from in_order(pool, jobs, workers + 1)
            return
        for number, group in itertools.groupby(wanted, key=lambda pair: pair[0]):
            yield from _of_file(sources[number], part, [t for _, t in group], pool)


def _of_file(
    source: Source, part: Selection, frames: Iterable[int], pool: ThreadPoolExecutor
) -> Iterator[Frame]:
    """Give frames of one file that stays open."""
    if source.raw is not None:
        for t in frames:
            yield _plain(source, source.raw, part.of_one_frame(t))
        return
    with opened(source.path) as (tif, series):
        tif.filehandle.set_lock(True)
        # an OME-TIFF in several files opens and closes them as it goes: one page at a time
        ahead = 1 if series.is_multifile else _WORKERS + 1
        jobs = (_paged(source, tif, series, part.of_one_frame(t)) for t in frames)
        yield from in_order(pool, jobs, ahead)


def _single(source: Source, part: Selection) -> Frame:
    """Read the only frame of a file."""
    first = part.of_one_frame(0)
    if source.raw is not None:
        return _plain(source, source.raw, first)
    with opened(source.path) as (tif, series):
        return _paged(source, tif, series, first)()


def _plain(source: Source, raw: Raw, part: Selection) -> Frame:
    """Read a frame that needs no decoding."""
    view = select_raw(source.axes, raw, part)
    dtype, strides = np.dtype(view.dtype), view.strides[1:]
    last = sum((n - 1) * step for n, step in zip(view.shape[1:], strides, strict=True))
    data = bytearray(last + dtype.itemsize)
    with open(view.path, "rb") as stream:
        stream.seek(view.offset)
        if stream.readinto(data) != len(data):
            raise _changed(view.path)
    frame = np.ndarray(view.shape[1:], dtype, buffer=data, strides=strides)
    return np.ascontiguousarray(frame, dtype=source.dtype)


def _paged(
    source: Source, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, part: Selection
) -> Job:
    """Find the pages of a frame now, to be decoded later on another thread."""
    if len(series) != math.prod(source.lead):
        raise _changed(source.path)
    numbers = np.arange(len(series)).reshape(source.lead)
    numbers = np.asarray(numbers[_where(source.axes[: len(source.lead)], part)])
    with tif.filehandle.lock:
        pages = [_page(source, series[int(number)]) for number in numbers.flat]
    return partial(_decode, source, part, pages, numbers.shape)


def _page(source: Source, page: Page | None) -> Page:
    if page is None:
        raise _changed(source.path)
    return page


def _decode(source: Source, part: Selection, pages: Sequence[Page], lead: tuple[int, ...]) -> Frame:
    """Put a frame together; of more than one page only if Y or X count pages."""
    axes, shape = source.axes[len(source.lead) :], source.shape[len(source.lead) :]
    where = _where(axes, part)
    planes = [_pixels(page) for page in pages]
    if any(plane.size != math.prod(shape) for plane in planes):
        raise _changed(source.path)
    planes = [plane.reshape(shape)[where] for plane in planes]
    frame = planes[0] if not lead else np.stack(planes).reshape(*lead, *planes[0].shape)
    if source.axes.index("X") < source.axes.index("Y"):
        frame = frame.T
    return np.ascontiguousarray(frame, dtype=source.dtype)


def _pixels(page: Page) -> Frame:
    """Decode one page; another file of an OME-TIFF is opened for it."""
    file = page.parent.filehandle
    if not file.closed:
        return page.asarray(maxworkers=1)
    file.open()
    try:
        return page.asarray(maxworkers=1)
    finally:
        file.close()


def _where(axes: str, part: Selection) -> tuple[int | slice, ...]:
    at: dict[str, int | slice] = {"T": part.frames[0], "C": part.channel}
    at.update(Y=slice(*part.y), X=slice(*part.x))
    return tuple(at.get(letter, 0) for letter in axes)


def _changed(path: str) -> ChannelError:
    return ChannelError(
        f"{path} is not what it was a moment ago",
        path=path,
        hint="wait until nothing writes to it any more, then run again",
    )
