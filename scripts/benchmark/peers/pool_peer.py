"""The floor of all engines that start processes: a pool of Python's own, spawned, nothing kept."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from protocol import UnsupportedError, Wish, answer, cpus


def time_it(wish: Wish) -> float:
    """Time the pool's start, its tasks and its end."""
    if wish.docker or wish.sif:
        raise UnsupportedError("a pool knows no containers")
    started = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cpus(), mp_context=context) as pool:
        if wish.shape == "chain":
            value = 0
            for _ in range(wish.count):
                value = pool.submit(abs, value).result()
        else:
            for future in [pool.submit(abs, number) for number in range(wish.count)]:
                future.result()
    return time.perf_counter() - started


if __name__ == "__main__":
    answer(time_it)
