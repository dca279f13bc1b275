"""Order, cycles and remaining paths, compared with NetworkX."""

from __future__ import annotations

import random
from itertools import pairwise

import networkx as nx
import pytest

from cyto.engine.graph import (
    ancestors,
    find_cycle,
    remaining_path,
    successors,
    topological_order,
)

DIAMOND = {"d": ("b", "c"), "b": ("a",), "c": ("a", "a"), "a": (), "alone": ()}


def random_edges(seed: int, *, acyclic: bool) -> dict[str, tuple[str, ...]]:
    """Give a graph of random size; edges point at what a node depends on."""
    draw = random.Random(seed)  # noqa: S311
    names = [f"n{i}" for i in range(draw.randint(1, 40))]
    density = draw.random() * 0.2
    edges = {
        name: tuple(
            other
            for j, other in enumerate(names)
            if (j < i or (not acyclic and j != i)) and draw.random() < density
        )
        for i, name in enumerate(names)
    }
    shuffled = draw.sample(names, len(names))
    return {name: edges[name] for name in shuffled}


def as_networkx(edges):
    graph = nx.DiGraph()
    graph.add_nodes_from(edges)
    graph.add_edges_from((before, name) for name, needs in edges.items() for before in needs)
    return graph


def test_order():
    assert topological_order(DIAMOND) == ["a", "alone", "b", "c", "d"]
    assert topological_order({}) == []


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_without_cycles(seed):
    edges = random_edges(seed, acyclic=True)
    graph = as_networkx(edges)
    order = topological_order(edges)
    assert sorted(order) == sorted(edges)
    place = {name: i for i, name in enumerate(order)}
    assert all(place[before] < place[name] for before, name in graph.edges)
    assert find_cycle(edges) == []
    longest = {
        name: 1 + max(
            (len(nx.dag_longest_path(graph.subgraph(nx.descendants(graph, name)))),), default=0
        )
        for name in edges
    }  # fmt: skip
    assert remaining_path(edges) == longest
    assert {name: set(after) for name, after in successors(edges).items()} == {
        name: set(graph.successors(name)) for name in edges
    }
    some = sorted(edges)[:3]
    assert ancestors(edges, some) == set(some).union(*(nx.ancestors(graph, n) for n in some))


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_with_cycles(seed):
    edges = random_edges(seed, acyclic=False)
    graph = as_networkx(edges)
    cycle = find_cycle(edges)
    assert bool(cycle) == (not nx.is_directed_acyclic_graph(graph))
    if cycle:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(graph.has_edge(a, b) for a, b in pairwise(cycle))
    on_or_after = {
        n
        for part in nx.strongly_connected_components(graph)
        if len(part) > 1
        for n in part | set().union(*(nx.descendants(graph, m) for m in part))
    }
    assert set(topological_order(edges)) == set(edges) - on_or_after


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ({"a": ("a",)}, ["a", "a"]),
        ({"a": ("b",), "b": ("a",)}, ["a", "b", "a"]),
        ({"x": (), "a": ("c", "x"), "b": ("a",), "c": ("b",), "y": ("a",)}, ["a", "b", "c", "a"]),
    ],
)
def test_a_cycle_is_drawn_in_the_direction_of_the_data(edges, cycle):
    assert find_cycle(edges) == cycle


def test_a_long_chain_is_no_problem():
    edges = {str(i): ((str(i - 1),) if i else ()) for i in range(20_000)}
    assert remaining_path(edges)["0"] == 20_000
    assert len(ancestors(edges, ["19999"])) == 20_000
