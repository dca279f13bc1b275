"""Names that the user gave to exported files, checked against what nodes make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cyto.config import PipelineConfig
from cyto.engine.tasks import Loaded
from cyto.errors import Problem, nearest
from cyto.io.named import name_fault


def check_files(config: PipelineConfig, tasks: Mapping[str, Loaded]) -> list[Problem]:
    """Find names of outputs that no node makes, endings that do not fit, and names used twice."""
    return [*_unfit(config, tasks), *_twice(config)]


def _named(config: PipelineConfig) -> Iterator[tuple[str, str, str]]:
    """Give each node, output and file."""
    for node, task in config.tasks.items():
        if not isinstance(task.output, bool):
            yield from ((node, key, name) for key, name in task.output.files.items())


def _unfit(config: PipelineConfig, tasks: Mapping[str, Loaded]) -> Iterator[Problem]:
    for node, task in config.tasks.items():
        if isinstance(task.output, bool) or not task.output.files:
            continue
        for key in sorted({"images", "parquet"} & task.output.model_fields_set):
            text = f"{key!r} has no meaning beside files, whose endings say the format"
            yield config.problem(("tasks", node, "output", key), text, "leave it out", key=True)
    for node, key, name in _named(config):
        where = ("tasks", node, "output", "files", key)
        ports = tasks[node].outputs
        if not ports:  # a plain class tells nothing, a wrong one is said elsewhere
            continue
        if key not in ports:
            hint = nearest(key, ports, what="output")
            yield config.problem(where, f"node {node!r} makes no {key!r}", hint, key=True)
        elif fault := name_fault(name, ports[key].kind):
            yield config.problem(where, fault)


def _twice(config: PipelineConfig) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for node, key, name in _named(config):
        if name in first:
            text = f"{first[name]} is written to {name!r} too"
            hint = "give one of them another name"
            yield config.problem(("tasks", node, "output", "files", key), text, hint)
        first.setdefault(name, f"{node}.{key}")
