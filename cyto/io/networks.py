"""Networks written as GraphML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cyto.errors import TaskOutputError
from cyto.io._atomic import replacing

if TYPE_CHECKING:
    import networkx as nx


def write_graphml(path: Path, network: nx.Graph[Any]) -> None:
    """Write a network as GraphML, as Cytoscape, Gephi, igraph and networkx read it.

    Attributes become text, numbers or truth values; lists become JSON text, ``None`` is left out.

    Parameters
    ----------
    path
        The file; replaced only when the new one is complete.
    network
        Nodes are cell ids.

    Raises
    ------
    TaskOutputError
        Two nodes have the same id when written.
    """
    import networkx as nx

    plain = _plain_network(network)
    if len(plain) != len(network):
        raise TaskOutputError(
            "has nodes that look alike when written, as 1 and '1' do", key=path.stem
        )
    with replacing(path) as temporary:
        # not write_graphml, whose bytes depend on whether lxml is installed
        nx.write_graphml_xml(plain, str(temporary), infer_numeric_types=True)


def check_network(value: object, name: str) -> nx.Graph[Any]:
    """Give *value* if it is a network, else raise `TaskOutputError`."""
    import networkx as nx

    if not isinstance(value, nx.Graph):
        raise TaskOutputError(f"is {type(value).__name__}, not a networkx graph", key=name)
    return value


def _plain_network(network: nx.Graph[Any]) -> nx.Graph[Any]:
    """Copy a network with identifiers and attributes that GraphML can hold."""
    import networkx as nx

    several, directed = network.is_multigraph(), network.is_directed()
    plain: nx.Graph[Any] = (
        (nx.MultiDiGraph if directed else nx.MultiGraph)()
        if several
        else (nx.DiGraph if directed else nx.Graph)()
    )
    plain.graph.update(_plain(network.graph))
    plain.add_nodes_from((_node(node), _plain(data)) for node, data in network.nodes(data=True))
    for a, b, data in network.edges(data=True):
        plain.add_edge(_node(a), _node(b), **_plain(data))
    return plain


def _node(node: object) -> str:
    return str(_scalar(node))


def _plain(data: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): _scalar(value) for key, value in data.items() if value is not None}


def _scalar(value: object) -> bool | int | float | str:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return json.dumps(value, default=str, ensure_ascii=False)
