"""CellTriangulation against the definition of Delaunay, and special places."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing.triangulation import CellTriangulation
from cyto.runners.exchange import network_from_json, network_to_json
from cyto.simulation import simulate_assay


def triangulate(table, data=None, **params):
    return CellTriangulation(**params)({"dataframe": table, **(data or {})})["network"]


def cells(places, frame=0):
    table = pd.DataFrame(np.asarray(places, float).reshape(-1, 2), columns=["y", "x"])
    return table.assign(frame=frame, label=range(1, len(table) + 1))


def reference(places):
    """Find the triangles whose circumcircle is empty."""
    edges = set()
    for a, b, c in combinations(range(len(places)), 3):
        p, q, r = places[[a, b, c]]
        matrix = 2 * np.array([q - p, r - p])
        if abs(np.linalg.det(matrix)) < 1e-9:
            continue
        centre = np.linalg.solve(matrix, [q @ q - p @ p, r @ r - p @ p])
        radius = np.linalg.norm(centre - p)
        others = np.delete(places, [a, b, c], axis=0)
        if not (np.linalg.norm(others - centre, axis=1) < radius - 1e-9).any():
            edges |= {(a, b), (b, c), (a, c)}
    return {(f"0:{i + 1}", f"0:{j + 1}") for i, j in edges}


def edges(graph):
    return {tuple(sorted(edge, key=lambda n: int(n.split(":")[1]))) for edge in graph.edges}


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_definition(seed):
    places = np.random.default_rng(seed).uniform(0, (100, 300), (14, 2))
    graph = triangulate(cells(places))
    assert edges(graph) == reference(places)
    for a, b, data in graph.edges(data=True):
        away = places[graph.nodes[a]["id"] - 1] - places[graph.nodes[b]["id"] - 1]
        assert data["length_px"] == pytest.approx(np.hypot(*away))


def test_a_movie():
    tracks = simulate_assay(frames=4, seed=1).tracks
    graph = triangulate(tracks, {"pixel_size_um": 0.5})
    assert graph.number_of_nodes() == len(tracks)
    for a, b, data in graph.edges(data=True):
        assert graph.nodes[a]["frame"] == graph.nodes[b]["frame"] == data["frame"]
        assert data["length_um"] == 0.5 * data["length_px"]
    assert nx.number_connected_components(graph) == 4
    assert all(name == f"{d['frame']}:{d['id']}" for name, d in graph.nodes(data=True))
    assert nx.utils.graphs_equal(graph, network_from_json(network_to_json(graph)))


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], 0),
        ([[3, 4]], 0),
        ([[3, 4], [9, 9]], 1),
        ([[0, 0], [5, 5], [2, 2], [9, 9]], 3),  # on one line
        ([[4, 1], [4, 9], [4, 5]], 2),
        ([[0, 0], [0, 9], [9, 0], [0, 0]], 4),  # two in one place
        ([[7, 7], [7, 7], [7, 7]], 2),
    ],
)
def test_special_places(places, expected):
    graph = triangulate(cells(places))
    assert graph.number_of_nodes() == len(places)
    assert graph.number_of_edges() == expected
    assert not len(graph) or nx.is_connected(graph)


def test_longest_edge():
    places = [[0, 0], [0, 10], [0, 25]]
    assert triangulate(cells(places), max_length_px=10).number_of_edges() == 1
    scaled = triangulate(cells(places), {"pixel_size_um": 0.1}, max_length_um=1.5)
    assert scaled.number_of_edges() == 2


def test_names_and_flips_change_nothing_else():
    table = cells(np.random.default_rng(3).uniform(0, 99, (30, 2)))
    usual = edges(triangulate(table))
    assert edges(triangulate(table.sample(frac=1, random_state=1))) == usual
    assert edges(triangulate(table.assign(y=200 - table.y))) == usual
    assert edges(triangulate(table.astype({"frame": float}))) == usual
    assert edges(triangulate(table.rename(columns={"label": "track_id"}))) == usual


@pytest.mark.parametrize(
    ("table", "params", "words"),
    [
        (cells([[1, 1]]).drop(columns="label"), {}, ["no column 'label'"]),
        (pd.concat([cells([[1, 1]])] * 2), {}, ["more than one row"]),
        (cells([[1, 1], [np.nan, 2]]), {}, ["nan", "'y', row 1", "1 such rows of 2"]),
        (cells([[1, 1]], frame=0.5), {}, ["0.5", "'frame'", "whole numbers"]),
        (cells([[1, np.inf]]), {}, ["inf", "'x', row 0"]),
        (cells([[1, 1]]), {"max_length_um": 3}, ["pixel size is not known"]),
    ],
)
def test_bad_input(table, params, words):
    with pytest.raises(TaskInputError) as caught:
        triangulate(table, **params)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "params", [{"max_length_px": -1}, {"max_length_px": 1, "max_length_um": 1}]
)
def test_bad_parameters(params):
    with pytest.raises(ParameterError):
        CellTriangulation(**params)
