"""Which profile is in force, and where each node runs under it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from cyto.config.amounts import Resources
from cyto.config.contradictions import check_entries
from cyto.config.placement import placement_of
from cyto.config.resources import ResourcesConfig, advice
from cyto.config.resources_model import Bind, Entry
from cyto.config.source import Source
from cyto.config.translation import Shapes, received, validated
from cyto.core.placement import Placement
from cyto.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.marks import KeyPath
    from cyto.config.pipeline import PipelineConfig
    from cyto.config.pipeline_model import Task

SYSTEM_DEFAULT = "hybrid"
LOCAL = "local"


def choose_profile(
    cli: str | None, pipeline: PipelineConfig, resources: ResourcesConfig
) -> tuple[str, str]:
    """Choose the profile: ``--profile``, else the pipeline's, else the resources file's.

    Without any of them it is ``hybrid``. ``local`` is always there: a resources file that does
    not describe it, and a pipeline without a resources file, run everything on bare metal.

    Parameters
    ----------
    cli
        What ``--profile`` says; ``None`` or empty when it was not given.

    Returns
    -------
    name, why
        The profile and what chose it, in words: ``--profile``, ``execution_profile in
        pipeline.x.yaml:3``.

    Raises
    ------
    ConfigError
        There is no such profile (the message lists those there are), or a profile is asked for
        and there is no resources file (it says which file was looked for).
    """
    name, why, path = _wish(cli, pipeline, resources)
    if not resources.present and not path and not cli:
        return LOCAL, f"there is no {resources.file.name}"
    if name == LOCAL or name in resources.profiles:
        return name, why
    if not resources.present:
        message = f"profile {name!r} needs a resources file; looked for {resources.file}"
        hint = "write it, name another with --resources, or use --profile local"
    else:
        known = [*resources.profiles, LOCAL]
        message = f"there is no profile {name!r} in {resources.source.file}"
        message += "" if cli or path else f" ({why})"
        near = nearest(name, known, what="profile")
        hint = f"known profiles: {', '.join(sorted(set(known)))}"
        hint = f"{near} {hint}" if near.startswith("did") else hint
    if cli:
        raise ConfigError([Problem(message, hint, file="--profile")])
    owner = pipeline.source if path else resources.source
    raise ConfigError([owner.problem(path, message, hint)])


def _wish(
    cli: str | None, pipeline: PipelineConfig, resources: ResourcesConfig
) -> tuple[str, str, KeyPath]:
    """Give the profile asked for, who asks, and the key in the pipeline that does."""
    if cli:
        return cli, "--profile", ()
    wish = pipeline.model.execution_profile
    if wish:
        path: KeyPath = ("execution_profile",)
        return wish, f"execution_profile in {pipeline.source.place(path)}", path
    if resources.default_profile:
        place = resources.source.place(("default_profile",))
        return resources.default_profile, f"default_profile in {place}", ()
    return SYSTEM_DEFAULT, "the default where nobody names one", ()


def placements(
    pipeline: PipelineConfig, resources: ResourcesConfig, profile: str
) -> tuple[dict[str, Placement], list[Problem]]:
    """Say where each node runs.

    An entry by the node's name wins over one by tag, and that over ``default``; entries are not
    mixed. A node that none addresses runs on bare metal.

    Returns
    -------
    placements, warnings
        One `Placement` for each node, in the order of the pipeline; and one `Problem` for each
        entry that addresses no node.

    Raises
    ------
    ConfigError
        Two of a node's tags have an entry each, so that neither is more exact.
    """
    entries = resources.profiles.get(profile, {})
    made: dict[str, Placement] = {}
    for key, entry in entries.items():
        place = resources.source.place(("execution_configs", profile, key))
        site = resources.model.slurm if resources.model else None
        made[key] = placement_of(entry, resources.source.folder, source=place, key=key, site=site)
    found: dict[str, Placement] = {}
    problems: list[Problem] = []
    for node, task in pipeline.tasks.items():
        keys = _keys(node, task, entries)
        if len(keys) > 1:
            problems.append(_ambiguous(pipeline, resources, profile, node, keys))
        found[node] = made[keys[0]] if keys else Placement()
    if problems:
        raise ConfigError(problems)
    return found, _unused(pipeline, resources, profile)


def _keys(node: str, task: Task, entries: Mapping[str, Entry]) -> list[str]:
    """List the most exact entries that address a node; more than one when tags compete."""
    if node in entries:
        return [node]
    tags = [f"tag:{tag}" for tag in dict.fromkeys(task.tags) if f"tag:{tag}" in entries]
    return tags or [key for key in ("default",) if key in entries]


def _ambiguous(
    pipeline: PipelineConfig, resources: ResourcesConfig, profile: str, node: str, keys: list[str]
) -> Problem:
    places = [
        f"{key!r} ({resources.source.place(('execution_configs', profile, key))})" for key in keys
    ]
    message = f"profile {profile!r} addresses this node by {' and by '.join(places)}"
    hint = f"write an entry for {node!r} itself, which wins over tags"
    return pipeline.problem(("tasks", node, "tags"), message, hint)


def _unused(pipeline: PipelineConfig, resources: ResourcesConfig, profile: str) -> list[Problem]:
    tags = {f"tag:{tag}" for task in pipeline.tasks.values() for tag in task.tags}
    known = {*pipeline.tasks, *tags, "default"}
    return [
        resources.problem(
            ("execution_configs", profile, key),
            f"addresses no node of {pipeline.source.file}",
            nearest(key, known - {"default"}, what="node"),
            key=True,
        )
        for key in resources.profiles.get(profile, {})
        if key not in known
    ]


def placement_from_execution_config(config: Mapping[str, object]) -> Placement:
    """Read the ``execution_config`` of a task that is called in Python.

    Parameters
    ----------
    config
        The same keys as an entry of a resources file: ``{"type": "container", "runner":
        "docker", "image": "cellpose:latest"}``. Relative paths are relative to the current
        folder; `pathlib.Path` objects are taken as text.

    Raises
    ------
    ConfigError
        With key paths that begin with ``execution_config``.
    """
    root: KeyPath = ("execution_config",)
    given: object = config  # notebooks are not type-checked
    if not isinstance(given, Mapping):
        message = f"expected a mapping with type, runner and image, received {received(given)}"
        raise ConfigError([Problem(message, path="execution_config")])
    data = cast("dict[str, JSON]", _plain(given))
    source = Source("", data, root=root)
    shapes: Shapes = {(): Entry, ("resources",): Resources, ("binds", "*"): Bind}
    entry = validated(
        Entry,
        source,
        shapes,
        checks=[lambda s: check_entries(s, (), s.data)],
        hint=lambda path: advice(("execution_configs", "", "", *path)),
    )
    return placement_of(entry, source.folder, source="execution_config")


def _plain(value: object) -> object:
    """Give the same data as YAML would."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
