"""Frames of a channel in order, each read by what can read its file."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cyto.io._layout import Selection, Source

Frame = npt.NDArray[np.generic]
_Read = Callable[[Source, Selection, Iterable[int]], Iterator[Frame]]


def read_frames(sources: Sequence[Source], part: Selection) -> Iterator[Frame]:
    """Give the frames of *part* in order, as C-contiguous (Y, X) arrays in native byte order.

    Parameters
    ----------
    sources
        Images of one format and equal shape, one after the other along T.
    part
        What to read of them.

    Raises
    ------
    ChannelError
        A file is damaged, or not what it was when it was looked at.

    Notes
    -----
    Holds a few decoded frames at most.
    """
    if sources[0].reader == "tiff":
        from cyto.io._decoding import read_tiffs

        yield from read_tiffs(sources, part)
        return
    read, per_file = _reader(sources[0]), sources[0].size("T")
    wanted = (divmod(t, per_file) for t in range(*part.frames))
    for number, group in itertools.groupby(wanted, key=lambda pair: pair[0]):
        yield from read(sources[number], part, (t for _, t in group))


def _reader(source: Source) -> _Read:
    if source.reader == "zarr":
        from cyto.io._zarr import read_zarr

        return read_zarr
    from cyto.io._bioio import read_bioio

    return read_bioio
