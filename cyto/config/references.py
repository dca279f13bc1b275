"""Names that nodes call each other by: ``channel``, ``node``, ``node.key``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyto.errors import Problem, nearest

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.marks import KeyPath
    from cyto.config.source import Source


@dataclass(frozen=True)
class Reference:
    """What an input names.

    Parameters
    ----------
    name
        A channel or a node; which one, the pipeline's names tell.
    key
        One of the node's outputs; ``None`` where it is left out.
    """

    name: str
    key: str | None = None

    def __str__(self) -> str:
        return self.name if self.key is None else f"{self.name}.{self.key}"


def parse_reference(text: str) -> Reference:
    """Read ``tcell`` or ``tcell_segmentation.label``.

    Names of nodes and channels hold no dots, so that the first dot ends the name.

    Raises
    ------
    ValueError
        Nothing stands before or after the dot.
    """
    name, dot, key = text.partition(".")
    if not name or (dot and not key):
        raise ValueError(f"{text!r} is no channel, node or node.key")
    return Reference(name, key if dot else None)


def check_names(source: Source) -> list[Problem]:
    """Find nodes that have the name of a channel."""
    tasks, channels = _mapping(source, "tasks"), _mapping(source, "channels")
    return [
        source.problem(
            ("tasks", name),
            f"{name!r} is a channel already",
            "give the node another name",
            key=True,
        )
        for name in tasks
        if name in channels
    ]


def check_references(source: Source) -> list[Problem]:
    """Find inputs and dependencies that name nothing."""
    tasks, channels = set(_mapping(source, "tasks")), set(_mapping(source, "channels"))
    problems: list[Problem] = []
    for node, task in _mapping(source, "tasks").items():
        if not isinstance(task, dict):
            continue
        for path, text in _inputs(("tasks", node, "inputs"), task.get("inputs")):
            problems.extend(_check_input(source, path, text, tasks, channels))
        names = task.get("dependencies")
        for at, name in enumerate(names if isinstance(names, list) else []):
            if isinstance(name, str) and name and name not in tasks:
                hint = nearest(name, tasks, what="node")
                if name in channels:
                    hint = "that is a channel: name it in inputs"
                path = ("tasks", node, "dependencies", at)
                problems.append(source.problem(path, f"there is no node {name!r}", hint))
    return problems


def check_collect(source: Source) -> list[Problem]:
    """Find nodes that collect where there are no samples."""
    if source.data.get("samples") is not None:
        return []
    return [
        source.problem(
            ("tasks", name, "collect"),
            "collects the tables of all samples, and the pipeline has no 'samples'",
            "write samples: at the top of the pipeline, or leave collect out",
            key=True,
        )
        for name, task in _mapping(source, "tasks").items()
        if isinstance(task, dict) and task.get("collect") is True
    ]


def _mapping(source: Source, key: str) -> dict[str, JSON]:
    value = source.data.get(key)
    return value if isinstance(value, dict) else {}


def _inputs(path: KeyPath, inputs: JSON) -> list[tuple[KeyPath, str]]:
    pairs = inputs.items() if isinstance(inputs, dict) else []
    found: list[tuple[KeyPath, JSON]] = [((*path, key), value) for key, value in pairs]
    found += [(path, inputs)]
    return [(where, value) for where, value in found if isinstance(value, str) and value]


def _check_input(
    source: Source, path: KeyPath, text: str, tasks: set[str], channels: set[str]
) -> list[Problem]:
    try:
        reference = parse_reference(text)
    except ValueError as error:
        return [source.problem(path, str(error), "write channel, node or node.key")]
    if reference.name in channels and reference.key is not None:
        hint = f"write {reference.name!r} alone"
        return [source.problem(path, f"the channel {reference.name!r} has no keys", hint)]
    if reference.name in tasks or reference.name in channels:
        return []
    hint = nearest(reference.name, tasks | channels, what="channels and node")
    message = f"there is no channel or node {reference.name!r}"
    return [source.problem(path, message, hint)]
