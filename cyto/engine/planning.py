"""From files to a plan: everything that can be wrong is found here, before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from cyto.config import (
    PipelineConfig,
    Sample,
    Task,
    choose_profile,
    load_pipeline,
    parse_reference,
    placements,
    read_samples,
    resources_for,
    samples_file,
)
from cyto.core.placement import Placement
from cyto.engine.channels import look_at_channels
from cyto.engine.filenames import check_files
from cyto.engine.graph import descendants, find_cycle, topological_order
from cyto.engine.plan import Export, Node, Plan, Source, plain_name
from cyto.engine.samples import Spread, choose_samples
from cyto.engine.tasks import Loaded, load_node
from cyto.engine.wiring import Wiring
from cyto.errors import ConfigError, Problem, nearest


def make_plan(
    pipeline: str | Path,
    *,
    resources: str | Path | None = None,
    profile: str | None = None,
    overrides: Iterable[str] = (),
    output_dir: str | Path | None = None,
    only: Iterable[str] = (),
    sample: Iterable[str] = (),
    base: str | Path | None = None,
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
        Nodes to run, with all that they need; empty for all. With samples a plain name means the
        node of each of them, ``<sample>/<node>`` that of one.
    sample
        Samples to run; empty for all.
    base
        What relative paths in the files are relative to, where these are copies; else their own
        folders.

    Raises
    ------
    ConfigError
        All that is wrong: unknown modules and parameters, missing inputs, cycles, images that are
        not there, each with file, line and column. Images of single samples are no error while
        there is a sample without such a fault: they are in the plan's ``faults``.
    """
    only, sample = tuple(only), tuple(sample)
    origin = Path(base).absolute() if base else None
    config = load_pipeline(pipeline, overrides, origin)
    where = resources_for(config.file, resources, origin)
    name, reason = choose_profile(profile, config, where)
    placed, warnings = placements(config, where, name)
    _find_users_modules(config)
    tasks, problems, odd = _load_tasks(config, placed)
    warnings = [*config.warnings, *warnings, *odd]
    wiring = Wiring(config, tasks)
    inputs: dict[str, dict[str, Source]] = {}
    for node in config.tasks:
        known = tasks[node].params or tasks[node].inputs is not None
        inputs[node], faults = wiring.resolve(node) if known or not problems else ({}, [])
        problems += faults
    problems += check_files(config, tasks)
    edges = _edges(config, inputs)
    problems += _cycle(config, edges)
    spread = Spread(config, edges, inputs, _samples(config, sample, problems))
    problems += spread.check(tasks)
    wanted = spread.wanted(only)
    channels, broken, faults = look_at_channels(config, spread.channels(wanted))
    problems += faults
    if problems:
        raise ConfigError(config.source.ordered(problems))
    nodes = {
        node: _node(config, node, tasks[node], inputs[node], edges[node], placed[node])
        for node in topological_order(edges)
    }
    return Plan(
        pipeline=config.file,
        resources=where.file if where.present else None,
        output_dir=Path(output_dir).absolute() if output_dir else config.output_dir,
        profile=name,
        profile_reason=reason,
        nodes={node.name: node for node in spread.nodes(nodes, wanted)},
        channels=channels,
        only=(*only, *sample),
        samples={each.name: each.conditions for each in spread.samples},
        faults=broken,
        warnings=tuple(warnings),
        description=config.model.description,
        authors=tuple(author.model_dump() for author in config.authors),
        license=config.model.license,
        base=config.source.base,
        tables=tuple(table for table in [samples_file(config)] if table is not None),
    )


def fresh_nodes(plan: Plan, force: Iterable[str] = (), since: Iterable[str] = ()) -> frozenset[str]:
    """Name the nodes that are to be computed again.

    Parameters
    ----------
    force
        These alone: what depends on them keeps its results.
    since
        These, and everything that depends on them.

    Raises
    ------
    ConfigError
        There is no such node in the plan.
    """
    edges = {name: node.dependencies for name, node in plan.nodes.items()}
    alone, first = _meant(force, edges, "--force"), _meant(since, edges, "--from")
    return frozenset({*alone, *descendants(edges, first)})


def _meant(names: Iterable[str], nodes: Iterable[str], option: str) -> set[str]:
    """Give the nodes of a plan that *names* stand for; one without a sample is that of all."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        found.setdefault(node, set()).add(node)
        found.setdefault(plain_name(node), set()).add(node)
    for name in names:
        if name not in found:
            hint = nearest(name, found, what="node")
            raise ConfigError([Problem(f"there is no node {name!r}", hint, file=option)])
    return {node for name in names for node in found[name]}


def _samples(
    config: PipelineConfig, names: Iterable[str], problems: list[Problem]
) -> tuple[Sample, ...]:
    """Read the samples; what is wrong with them is said together with *problems*."""
    try:
        return choose_samples(read_samples(config), names)
    except ConfigError as error:
        raise ConfigError(config.source.ordered([*problems, *error.problems])) from error


def _find_users_modules(config: PipelineConfig) -> None:
    """Let a user's own task modules lie beside the pipeline file."""
    folder = str(config.file.parent)
    if folder not in sys.path:
        sys.path.append(folder)


def _load_tasks(
    config: PipelineConfig, placed: Mapping[str, Placement]
) -> tuple[dict[str, Loaded], list[Problem], list[Problem]]:
    tasks, problems, warnings = {}, [], []
    roots: dict[str, tuple[str, ...]] = {}
    for node in config.tasks:
        tasks[node], faults, odd = load_node(config, node, placed[node], roots)
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
