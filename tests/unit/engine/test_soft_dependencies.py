"""Nodes that wait for others to end, however they end."""

from __future__ import annotations

import pytest

from cyto.core.placement import Resources
from cyto.engine.scheduler import Scheduler
from cyto.runners.machine import Machine

EDGES = {"a": (), "b": (), "c": ("b",), "all": ("a", "c"), "after": ("all",)}


@pytest.fixture
def scheduler():
    machine = Machine(cpus=8, memory_bytes=1 << 30, gpu_ids=())
    wanted = dict.fromkeys(EDGES, Resources())
    return Scheduler(EDGES, wanted, machine, soft={"all": ("a", "c")})


def taken(scheduler):
    return [grant.node for grant in scheduler.take()]


def test_a_failure_is_an_end(scheduler):
    assert set(taken(scheduler)) == {"a", "b"}
    assert scheduler.give_up("a") == []
    assert taken(scheduler) == []
    scheduler.finish("b")
    assert taken(scheduler) == ["c"]
    scheduler.finish("c")
    assert taken(scheduler) == ["all"]


def test_what_is_lost_with_a_failure_is_an_end_too(scheduler):
    taken(scheduler)
    assert scheduler.give_up("b") == ["c"]
    scheduler.finish("a")
    assert taken(scheduler) == ["all"]
    assert scheduler.give_up("all") == ["after"]
    assert not scheduler.unfinished


def test_all_fail(scheduler):
    taken(scheduler)
    assert scheduler.give_up("a") == []
    assert scheduler.give_up("b") == ["c"]
    assert taken(scheduler) == ["all"]


def test_what_was_dropped_does_not_come_back(scheduler):
    taken(scheduler)
    assert scheduler.drop() == ["c", "all", "after"]
    scheduler.give_up("a")
    scheduler.give_up("b")
    assert taken(scheduler) == []
    assert not scheduler.unfinished
