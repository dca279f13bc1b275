"""From files to a plan: everything that can be wrong is found here, before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from cyto.config import (
    PipelineConfig,
    Task,
    choose_profile,
    load_pipeline,
    parse_reference,
    placements,
    resources_for,
)
from cyto.core.placement import Placement
from cyto.engine.graph import ancestors, find_cycle, topological_order
from cyto.engine.plan import Export, Node, Plan, Source
from cyto.engine.tasks import Loaded, load_node
from cyto.engine.wiring import Wiring
from cyto.errors import ChannelError, ConfigError, Problem, nearest
from cyto.io.channels import Channel, ChannelSpec, inspect_channel


def make_plan(
    pipeline: str | Path,
    *,
    resources: str | Path | None = None,
    profile: str | None = None,
    overrides: Iterable[str] = (),
    output_dir: str | Path | None = None,
    only: Iterable[str] = (),
) -> Plan:
    """Read, check and connect a pipeline; runs nothing and imports no tool.

    Parameters
    ----------
    pipeline, resources
        The files; without *resources* the companion beside the pipeline is taken.
    profile
        Wins over what the files say.
    overrides
        ``tasks.X.params.Y=Z``, as ``--set`` takes them.
    output_dir
        Wins over the pipeline's; relative to the current folder.
    only
        Nodes to run, with all that they need; empty for all.

    Raises
    ------
    ConfigError
        All that is wrong: unknown modules and parameters, missing inputs, cycles, images that are
        not there, each with file, line and column.
    """
    config = load_pipeline(pipeline, overrides)
    where = resources_for(config.file, resources)
    name, reason = choose_profile(profile, config, where)
    placed, warnings = placements(config, where, name)
    _find_users_modules(config)
    tasks, problems, odd = _load_tasks(config, placed)
    warnings = [*warnings, *odd]
    wiring = Wiring(config, tasks)
    inputs: dict[str, dict[str, Source]] = {}
    for node in config.tasks:
        known = tasks[node].params or tasks[node].inputs is not None
        inputs[node], faults = wiring.resolve(node) if known or not problems else ({}, [])
        problems += faults
    edges = _edges(config, inputs)
    problems += _cycle(config, edges)
    wanted = _only(only, edges)
    channels, faults = _channels(config, wanted, inputs)
    problems += faults
    if problems:
        raise ConfigError(config.source.ordered(problems))
    order = [node for node in topological_order(edges) if node in wanted]
    return Plan(
        pipeline=config.file,
        resources=where.file if where.present else None,
        output_dir=Path(output_dir).absolute() if output_dir else config.output_dir,
        profile=name,
        profile_reason=reason,
        nodes={
            node: _node(config, node, tasks[node], inputs[node], edges[node], placed[node])
            for node in order
        },
        channels=channels,
        warnings=tuple(warnings),
    )


def _find_users_modules(config: PipelineConfig) -> None:
    """Let a user's own task modules lie beside the pipeline file."""
    folder = str(config.file.parent)
    if folder not in sys.path:
        sys.path.append(folder)


def _load_tasks(
    config: PipelineConfig, placed: Mapping[str, Placement]
) -> tuple[dict[str, Loaded], list[Problem], list[Problem]]:
    tasks, problems, warnings = {}, [], []
    for node in config.tasks:
        tasks[node], faults, odd = load_node(config, node, placed[node])
        problems += faults
        warnings += odd
    return tasks, problems, warnings


def _edges(
    config: PipelineConfig, inputs: Mapping[str, Mapping[str, Source]]
) -> dict[str, tuple[str, ...]]:
    return {
        node: tuple(
            dict.fromkeys(
                [
                    *task.dependencies,
                    *(name for name in _named(task.inputs) if name in config.tasks),
                    *(s.name for s in inputs[node].values() if not s.is_channel),
                ]
            )
        )
        for node, task in config.tasks.items()
    }


def _named(inputs: Mapping[str, str] | str | None) -> list[str]:
    """List what the inputs name, whether or not it fits there."""
    texts = inputs.values() if isinstance(inputs, Mapping) else [inputs] if inputs else []
    return [parse_reference(text).name for text in texts]


def _cycle(config: PipelineConfig, edges: Mapping[str, tuple[str, ...]]) -> list[Problem]:
    cycle = find_cycle(edges)
    if not cycle:
        return []
    message = f"the nodes wait for each other: {' → '.join(cycle)}"
    hint = "take one of these dependencies or inputs out"
    return [config.problem(("tasks", cycle[0]), message, hint, key=True)]


def _only(only: Iterable[str], edges: Mapping[str, tuple[str, ...]]) -> set[str]:
    names = list(only)
    for name in names:
        if name not in edges:
            hint = nearest(name, edges, what="node")
            raise ConfigError([Problem(f"there is no node {name!r}", hint, file="--only")])
    return ancestors(edges, names or edges)


def _channels(
    config: PipelineConfig, wanted: set[str], inputs: Mapping[str, Mapping[str, Source]]
) -> tuple[dict[str, Channel], list[Problem]]:
    """Look at the channels that nodes read; all of them, so that all problems show at once."""
    used = {s.name for node in wanted for s in inputs[node].values() if s.is_channel}
    channels, problems = {}, []
    for name in config.channels:
        if name not in used:
            continue
        try:
            channels[name] = inspect_channel(_spec(config, name))
        except ChannelError as error:
            path = (
                ("channels", name, error.key) if _is_mapping(config, name) else ("channels", name)
            )
            problems.append(config.problem(path, error.message, error.hint))
    return channels, problems


def _is_mapping(config: PipelineConfig, channel: str) -> bool:
    """Tell whether a channel is written as a mapping, not as a path alone."""
    written = config.source.data.get("channels")
    return isinstance(written, dict) and isinstance(written.get(channel), dict)


def _spec(config: PipelineConfig, name: str) -> ChannelSpec:
    channel, model = config.channels[name], config.model
    crop = channel.crop
    spans = {} if crop is None else {"y": crop.y, "x": crop.x}
    return ChannelSpec(
        name=name,
        path=str(config.channel_path(name)),
        channel=channel.channel,
        scene=channel.scene,
        frames=channel.frames and (*channel.frames, None)[:3],  # type: ignore[arg-type]
        crop={axis: span for axis, span in spans.items() if span} or None,  # type: ignore[misc]
        axes=channel.axes,
        pixel_size_um=channel.pixel_size_um or model.pixel_size_um,
        frame_interval_s=channel.frame_interval_s or model.frame_interval_s,
    )


def _export(task: Task) -> Export | None:
    if isinstance(task.output, bool):
        return Export() if task.output else None
    return Export(**task.output.model_dump())


def _node(
    config: PipelineConfig,
    name: str,
    loaded: Loaded,
    inputs: Mapping[str, Source],
    dependencies: tuple[str, ...],
    placement: Placement,
) -> Node:
    task = config.tasks[name]
    return Node(
        name=name,
        task=task.module,
        params=loaded.params,
        path_params=loaded.path_params,
        inputs=inputs,
        dependencies=dependencies,
        outputs=loaded.outputs,
        libraries=loaded.libraries,
        framewise=loaded.framewise,
        tags=task.tags,
        export=_export(task),
        retries=task.retries,
        code=loaded.code,
        placement=placement,
        seed=config.model.seed,
    )
