"""Movies larger than memory: read frame by frame, given frame by frame."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from typing import Any, Optional


class Frames:
    """A movie that is made while it is read, so that it need not fit into memory.

    A task that is not framewise returns one in place of an array; a worker writes it frame after
    frame, and a direct call makes an array of it.

    Parameters
    ----------
    shape, dtype
        (T, Y, X) and a NumPy dtype: known before the first frame is made.
    made
        The frames in order, each (Y, X); they can be read once.
    """

    ndim = 3

    def __init__(self, shape: tuple[int, ...], dtype: Any, made: Iterable[Any]) -> None:
        import numpy as np

        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self._made: Optional[Iterator[Any]] = iter(made)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        made, self._made = self._made, None
        if made is None:
            raise RuntimeError("a movie that is made while it is read can be read once")
        return made

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        import numpy as np

        movie = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for index, frame in enumerate(self):
            movie[index] = frame
        return movie


def frames(movie: Any) -> Iterator[Any]:
    """Give each frame of (T, Y, X) *movie*, and let go of it when the next is asked for.

    Of a movie mapped from a file, pages that were read would stay with the process until memory
    runs short; they are given back to the system, which still has them when they are read again.
    """
    for frame in movie:
        yield frame
        let_go(movie)


def let_go(movie: Any) -> None:
    """Give the pages of a mapped movie back to the system; do nothing for one in memory."""
    mapping = _read_only_mapping(movie)
    if mapping is not None:
        mapping.madvise(mmap.MADV_DONTNEED)


def _read_only_mapping(movie: Any) -> Optional[mmap.mmap]:
    """Find the mapped file behind *movie*; none where pages could hold changes of our own."""
    owner: Any = movie
    while owner is not None and not isinstance(owner, mmap.mmap):
        if getattr(owner, "mode", "r") != "r":
            return None
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner if hasattr(mmap, "MADV_DONTNEED") else None
