"""Which worker a node gets: a waiting one, another's in a moment, or its own."""

from __future__ import annotations

import threading

import pytest

from cyto.core.layout import RunLayout
from cyto.core.placement import Placement
from cyto.engine import pool as module
from cyto.engine.plan import Node
from cyto.engine.pool import WorkerPool
from cyto.runners.machine import Machine

MACHINE = Machine(cpus=4, memory_bytes=1 << 30, gpu_ids=("0", "1"))


class Lazy:
    """What the pool asks of a worker, without a process."""

    def __init__(self, spec, environment):
        self.spec, self.environment = spec, environment
        self.alive, self.ready = True, False
        self.served, self.waiting_since = 0, 0.0

    def close(self):
        self.alive = False


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Make a pool with two nodes of the same placement."""
    monkeypatch.setattr(module, "Worker", Lazy)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.3)

    def two(**placement):
        placed = Placement(**{"environment": "docker", "image": "x", **placement})
        nodes = [Node(name=name, task="a.B", placement=placed) for name in "ab"]
        return WorkerPool(nodes, {}, RunLayout(tmp_path, "run"), MACHINE), *nodes

    return two


class Asked:
    """The worker that a thread is given, sooner or later."""

    def __init__(self, pool, node, gpu_ids=()):
        self.worker = None
        self._thread = threading.Thread(target=self._ask, args=(pool, node, gpu_ids), daemon=True)
        self._thread.start()

    def _ask(self, pool, node, gpu_ids):
        self.worker = pool.acquire(node, gpu_ids)

    def within(self, seconds):
        self._thread.join(seconds)
        return self.worker


def test_a_node_waits_for_a_container_that_starts_and_for_one_that_is_free_soon(two):
    pool, a, b = two()
    first = pool.acquire(a, ())
    second = Asked(pool, b)
    assert second.within(0.8) is None, "the first one has not started yet"
    first.ready = True
    pool.release(first)
    assert second.within(5) is first


def test_a_node_gets_its_own_container_where_the_first_one_stays_busy(two):
    pool, a, b = two()
    first = pool.acquire(a, ())
    first.ready = True
    second = Asked(pool, b)
    assert second.within(0.1) is None
    assert second.within(5) not in {None, first}


def test_a_node_gets_its_own_container_when_the_first_one_dies(two):
    pool, a, b = two()
    first = pool.acquire(a, ())
    second = Asked(pool, b)
    assert second.within(0.1) is None
    first.close()
    pool.release(first)
    assert second.within(5) not in {None, first}


@pytest.mark.parametrize(
    ("placement", "gpu_ids"),
    [
        ({"environment": "baremetal", "image": None}, ()),
        ({"isolate": True}, ()),
        ({"max_tasks": 1}, ()),
        ({}, ("1",)),
    ],
    ids=["bare metal", "its own", "one task each", "another GPU"],
)
def test_a_node_does_not_wait_for_what_it_would_not_get(two, placement, gpu_ids):
    pool, a, b = two(**placement)
    first = pool.acquire(a, ("0",) if gpu_ids else ())
    second = Asked(pool, b, gpu_ids)
    assert second.within(0.25) not in {None, first}
