"""Which boxes the picture of a graph has: one for each node, or one for many that are alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cyto.engine.view import NodeView, RunView

_MANY = 60
"""More boxes than a reader can tell apart; then those that do the same are drawn as one."""


@dataclass(kw_only=True)
class Box:
    """What is drawn as one.

    Parameters
    ----------
    key
        Tells it from the others.
    name
        What is written on it.
    nodes
        Indices of its nodes; empty for a channel.
    under
        Where its nodes run.
    before
        Keys of the boxes that its arrows come from.
    """

    key: str
    name: str
    under: str = ""
    nodes: list[int] = field(default_factory=list)
    before: list[str] = field(default_factory=list)


def fold(view: RunView) -> list[Box]:
    """Give the boxes of a run's graph, each after those before it where that can be.

    Nodes that run once per sample are one box; of very many others, those of one task at one
    depth.
    """
    boxes = _by_name(view)
    if len(boxes) <= _MANY:
        return list(boxes.values())
    return _by_task(view, boxes)


def place(node: NodeView) -> str:
    """Say where a node runs: ``slurm, apptainer cellpose.sif``."""
    facts = node.facts
    launcher = facts.get("launcher", "local")
    environment = "bare metal" if facts["environment"] == "baremetal" else facts["environment"]
    image = str(facts.get("image") or "").rpartition("/")[2]
    return f"{'' if launcher == 'local' else f'{launcher}, '}{environment} {image}".strip()


def sources(node: NodeView, channels: Iterable[str]) -> dict[str, str]:
    """Give for each input of a node the channel or node that it comes from."""
    known = set(channels)
    found = {}
    for key, text in node.facts["inputs"].items():
        if text in known:
            found[key] = text
            continue
        named = text.partition(" of ")[0].rpartition(".")[0]
        if named:
            found[key] = named
    return found


def _by_name(view: RunView) -> dict[str, Box]:
    """Make one box for each name of the pipeline file."""
    boxes: dict[str, Box] = {}
    channels = view.started.get("channels", {})
    nodes: dict[str, Box] = {}
    for node in view.nodes.values():
        key = f"node {node.plain}"
        box = nodes.setdefault(key, Box(key=key, name=node.plain, under=place(node)))
        box.nodes.append(node.index)
        before = [f"node {_plain(name)}" for name in node.facts["dependencies"]]
        for name in sources(node, channels).values():
            if name in channels and name not in view.nodes:
                channel = f"channel {_plain(name)}"
                boxes.setdefault(channel, Box(key=channel, name=_plain(name)))
                before.append(channel)
        box.before = list(dict.fromkeys([*box.before, *before]))
    return {**boxes, **nodes}


def _plain(name: str) -> str:
    return name.rpartition("/")[2]


def _by_task(view: RunView, boxes: Mapping[str, Box]) -> list[Box]:
    """Join the boxes of one task that are equally deep in the graph."""
    nodes = list(view.nodes.values())
    depth = depths({key: box.before for key, box in boxes.items()})
    into: dict[str, str] = {}
    folded: dict[str, Box] = {}
    names: dict[str, list[str]] = {}
    for key, box in boxes.items():
        what = nodes[box.nodes[0]].facts["task"] if box.nodes else "channel"
        new = f"{what} {depth[key]}"
        into[key] = new
        target = folded.setdefault(new, Box(key=new, name="", under=box.under))
        target.nodes += box.nodes
        names.setdefault(new, []).append(box.name)
    for key, box in boxes.items():
        target = folded[into[key]]
        target.before = list(dict.fromkeys([*target.before, *(into[b] for b in box.before)]))
    for key, box in folded.items():
        box.name = _common(names[key])
    return list(folded.values())


def _common(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def depths(before: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Give each name's distance from the beginning, along the longest path."""
    found: dict[str, int] = {}
    for name in before:  # no recursion: a chain may be long
        todo = [name]
        while todo:
            this = todo[-1]
            left = [b for b in before.get(this, ()) if b not in found and b in before]
            if left and this not in found:
                todo += left
                continue
            todo.pop()
            known = [found[b] for b in before.get(this, ()) if b in found]
            found[this] = max(known, default=-1) + 1
    return found
