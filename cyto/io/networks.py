"""Networks written as GraphML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cyto.errors import TaskOutputError
from cyto.io.whole import replacing

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


def write_adjacency_lists(pattern: Path, network: nx.Graph[Any]) -> list[Path]:
    """Write each frame of a network as a NetworkX multiline adjacency list.

    Nodes tell their ``frame`` and are named ``<frame>:<name>``; in the files they are ``<name>``,
    with ``_`` for white space and ``#``, which the format has for itself, and a number behind one
    that another node bears then. Edges keep their attributes but the frame.

    Parameters
    ----------
    pattern
        The files, with ``{frame}`` in their name; each is replaced when the new one is complete.
    network
        Its attribute ``frames``, where it has one, says how many frames there are.

    Returns
    -------
    A file for every frame, also those without nodes.

    Raises
    ------
    TaskOutputError
        A node tells no frame.
    """
    import networkx as nx

    frames: dict[int, list[Any]] = {}
    for node, data in network.nodes(data=True):
        if "frame" not in data:
            raise TaskOutputError(
                f"has the node {node!r} without a frame, and is to be written frame by frame",
                key=pattern.name,
                hint="write it whole, as .graphml",
            )
        frames.setdefault(int(data["frame"]), []).append(node)
    count = int(network.graph.get("frames", max(frames, default=-1) + 1))
    written = []
    for frame in range(count):
        plain: nx.Graph[Any] = nx.Graph()
        names = _names_in_frame(frames.get(frame, ()), frame)
        plain.add_nodes_from(names.values())
        for a, b, data in network.edges(names, data=True):
            kept = {str(key): _scalar(value) for key, value in data.items() if key != "frame"}
            plain.add_edge(names[a], names[b], **kept)
        path = pattern.with_name(pattern.name.replace("{frame}", f"{frame:04}"))
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in nx.generate_multiline_adjlist(plain))
        written.append(path)
    return written


def _names_in_frame(nodes: Iterable[Any], frame: int) -> dict[Any, str]:
    names: dict[Any, str] = {}
    taken = set[str]()
    for node in nodes:
        plain = re.sub(r"[\s#]+", "_", str(node).removeprefix(f"{frame}:").strip()) or "_"
        free = (f"{plain}_{number}" if number > 1 else plain for number in count(1))
        names[node] = next(name for name in free if name not in taken)
        taken.add(names[node])
    return names


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
