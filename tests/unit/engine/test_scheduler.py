"""What runs next: never more than there is, most urgent first."""

from __future__ import annotations

import random

import networkx as nx
import pytest

from cyto.core.placement import Resources
from cyto.engine.scheduler import Scheduler
from cyto.runners.machine import Machine

MACHINE = Machine(cpus=4, memory_bytes=1000, gpu_ids=("g0", "g1"))
ONE = Resources()


def scheduler(edges, wanted=None, machine=MACHINE, jobs=None):
    return Scheduler(edges, {n: (wanted or {}).get(n, ONE) for n in edges}, machine, jobs)


def names(grants):
    return [grant.node for grant in grants]


def test_the_longest_remaining_path_goes_first():
    edges = {"short": (), "middle": (), "end": ("middle",), "long": (), "next": ("long",),
             "last": ("next",)}  # fmt: skip
    one = scheduler(edges, machine=Machine(cpus=1, memory_bytes=10))
    assert names(one.take()) == ["long"]
    one.finish("long")
    assert names(one.take()) == ["middle"], "of two that are as urgent, the first of the file"
    one.finish("middle")
    assert names(one.take()) == ["next"]


def test_jobs_limit_how_many_run_at_once():
    one = scheduler(dict.fromkeys("abcd", ()), jobs=2)
    assert names(one.take()) == ["a", "b"]
    assert one.take() == []
    one.finish("a")
    assert names(one.take()) == ["c"]


def test_what_is_too_large_for_now_does_not_hold_up_what_fits():
    wanted = {"a": Resources(cpus=3), "b": Resources(cpus=3), "c": Resources(cpus=1)}
    one = scheduler({"a": (), "b": (), "c": ()}, wanted)
    assert names(one.take()) == ["a", "c"]
    one.finish("c")
    assert one.take() == []
    one.finish("a")
    assert names(one.take()) == ["b"]


def test_each_gpu_is_one_nodes_own():
    wanted = dict.fromkeys("abc", Resources(gpus=1))
    one = scheduler(dict.fromkeys("abc", ()), wanted)
    grants = one.take()
    assert [g.gpu_ids for g in grants] == [("g0",), ("g1",)]
    one.finish("a")
    assert [(g.node, g.gpu_ids) for g in one.take()] == [("c", ("g0",))]


def test_memory_is_shared_out():
    wanted = dict.fromkeys("abc", Resources(memory_bytes=400))
    one = scheduler(dict.fromkeys("abc", ()), wanted)
    assert names(one.take()) == ["a", "b"]


def test_what_failed_takes_all_its_descendants_along():
    edges = {"a": (), "b": ("a",), "c": ("b",), "d": ("b", "x"), "x": (), "y": ("x",)}
    one = scheduler(edges)
    assert names(one.take()) == ["a", "x"]
    assert one.give_up("a") == ["b", "c", "d"]
    one.finish("x")
    assert names(one.take()) == ["y"]
    one.finish("y")
    assert not one.unfinished
    assert not one.running


def test_two_failures_lose_a_common_descendant_once():
    one = scheduler({"a": (), "b": (), "c": ("a", "b")})
    one.take()
    assert one.give_up("a") == ["c"]
    assert one.give_up("b") == []
    assert not one.unfinished


def test_drop_leaves_what_runs():
    one = scheduler({"a": (), "b": ("a",), "c": ()}, jobs=1)
    one.take()
    assert one.drop() == ["b", "c"]
    assert one.running
    one.finish("a")
    assert one.take() == []
    assert not one.unfinished


def test_chunks_of_a_node_are_handed_out_one_by_one():
    one = scheduler({"a": (), "b": ("a",)}, machine=Machine(cpus=2, memory_bytes=10))
    assert [(g.node, g.chunk) for g in one.take()] == [("a", None)]
    one.split("a", [0, 2, 3])
    assert [(g.node, g.chunk) for g in one.take()] == [("a", 0), ("a", 2)]
    assert one.take() == []
    one.release("a", 2)
    assert [(g.node, g.chunk) for g in one.take()] == [("a", 3)]
    one.release("a", 0)
    one.release("a", 3)
    assert one.take() == [], "the node itself has not ended"
    one.finish("a")
    assert names(one.take()) == ["b"]


def test_no_more_chunks_at_once_than_the_node_allows():
    one = scheduler({"a": (), "b": ()})
    one.take()
    one.split("a", range(5), 2)
    assert [g.chunk for g in one.take()] == [0, 1]
    one.release("a", 0)
    assert [g.chunk for g in one.take()] == [2]
    one.release("a", 1)
    one.release("a", 2)
    assert [g.chunk for g in one.take()] == [3, 4]


def test_chunks_of_a_failed_node_are_not_handed_out():
    one = scheduler({"a": (), "b": ("a",)}, machine=Machine(cpus=1, memory_bytes=10))
    one.take()
    one.split("a", range(3))
    assert [g.chunk for g in one.take()] == [0]
    assert one.give_up("a") == ["b"]
    one.release("a", 0)
    assert one.take() == []
    assert not one.unfinished
    assert not one.running


def test_what_runs_elsewhere_takes_nothing_from_the_machine():
    edges = {"here": (), "there": (), "too": ()}
    one = Scheduler(
        edges, {"here": ONE, "there": None, "too": None}, Machine(cpus=1, memory_bytes=1), jobs=1
    )
    assert sorted(names(one.take())) == ["here", "there", "too"]
    one.finish("there")
    assert one.drop() == []
    assert one.running


@pytest.mark.parametrize("seed", range(40))
def test_random_runs(seed):
    draw = random.Random(seed)  # noqa: S311
    machine = Machine(
        cpus=draw.randint(1, 6),
        memory_bytes=draw.randint(100, 1000),
        gpu_ids=tuple(f"g{i}" for i in range(draw.randint(0, 3))),
    )
    names_ = [f"n{i}" for i in range(draw.randint(1, 60))]
    edges = {
        name: tuple(draw.sample(names_[:i], draw.randint(0, min(i, 3))))
        for i, name in enumerate(names_)
    }
    wanted = {
        name: Resources(
            cpus=draw.choice([None, draw.randint(1, machine.cpus)]),
            memory_bytes=draw.choice([None, draw.randint(1, machine.memory_bytes)]),
            gpus=draw.choice([0, 0, draw.randint(0, len(machine.gpu_ids))]),
        )
        for name in names_
    }
    jobs = draw.choice([None, draw.randint(1, 4)])
    one = Scheduler(edges, wanted, machine, jobs)
    running, succeeded, failed, lost = {}, set(), set(), set()
    while one.unfinished:
        for grant in one.take():
            assert set(edges[grant.node]) <= succeeded
            assert grant.node not in running.keys() | succeeded | failed | lost
            assert len(grant.gpu_ids) == wanted[grant.node].gpus
            running[grant.node] = grant.gpu_ids
        assert running, "nothing runs and nothing can start: it would wait forever"
        assert sum(wanted[n].cpus or 1 for n in running) <= machine.cpus
        assert sum(wanted[n].memory_bytes or 0 for n in running) <= machine.memory_bytes
        gpus = [gpu for ids in running.values() for gpu in ids]
        assert len(set(gpus)) == len(gpus)
        assert set(gpus) <= set(machine.gpu_ids)
        assert jobs is None or len(running) <= jobs
        name = draw.choice(sorted(running))
        del running[name]
        if draw.random() < 0.1:
            failed.add(name)
            lost |= set(one.give_up(name))
        else:
            succeeded.add(name)
            one.finish(name)
    graph = nx.DiGraph()
    graph.add_nodes_from(edges)
    graph.add_edges_from((before, name) for name, needs in edges.items() for before in needs)
    after_failure = set().union(*(nx.descendants(graph, name) for name in failed))
    assert lost == after_failure
    assert succeeded | failed | lost == set(edges)
