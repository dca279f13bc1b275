"""Work done on threads, a few pieces ahead, handed on in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

Job = Callable[[], npt.NDArray[np.generic]]


def in_order(
    pool: ThreadPoolExecutor, jobs: Iterable[Job], ahead: int
) -> Iterator[npt.NDArray[np.generic]]:
    """Give the results of *jobs* in their order, with at most *ahead* of them begun."""
    running: deque[Future[npt.NDArray[np.generic]]] = deque()
    try:
        for job in jobs:
            running.append(pool.submit(job))
            if len(running) >= ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
