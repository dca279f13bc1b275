"""dask.distributed: a local cluster whose workers wait already."""

from __future__ import annotations

import time

from distributed import Client, LocalCluster
from protocol import UnsupportedError, Wish, answer, check, cpus


def noop(value):
    return value + 1


def time_it(wish: Wish) -> float:
    """Time the tasks; the cluster stands before."""
    if wish.docker or wish.sif:
        raise UnsupportedError("dask starts no container for a task")
    options = {"threads_per_worker": 1, "dashboard_address": None, "local_directory": wish.folder}
    with LocalCluster(n_workers=cpus(), **options) as cluster, Client(cluster) as client:
        client.submit(noop, -1).result()
        started = time.perf_counter()
        if wish.shape == "chain":
            value = 0
            for _ in range(wish.count):
                value = client.submit(noop, value, pure=False)
            check(value.result(), wish.count)
        else:
            found = client.gather(client.map(noop, range(wish.count), pure=False))
            check(found[-1], wish.count)
        return time.perf_counter() - started


if __name__ == "__main__":
    answer(time_it)
