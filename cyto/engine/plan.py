"""A pipeline that was checked: everything that running it needs, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cyto._typing import JSON
from cyto.core.placement import Placement
from cyto.errors import Problem
from cyto.io.channels import Channel
from cyto.task import Port


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where an input comes from: a channel, or a node's output.

    *key* is the output's key; empty for a channel.
    """

    name: str
    key: str = ""

    @property
    def is_channel(self) -> bool:
        """Whether it is a channel."""
        return not self.key

    def __str__(self) -> str:
        return self.name if self.is_channel else f"{self.name}.{self.key}"


@dataclass(frozen=True, kw_only=True)
class Export:
    """How a node's results are written for people.

    *images* is ``ome-tiff`` or ``ome-zarr``, *compression* ``zstd`` (the default), ``zlib`` or
    ``none``; *parquet* adds a Parquet file to each CSV.
    """

    images: Literal["ome-tiff", "ome-zarr"] = "ome-tiff"
    compression: Literal["zstd", "zlib", "none"] | None = None
    parquet: bool = False


@dataclass(frozen=True, kw_only=True)
class Node:
    """A named use of a task, ready to run.

    Parameters
    ----------
    name, task
        The node's name and its task's dotted path.
    params, path_params
        The parameters as the task gets them; which of them are absolute paths of files.
    inputs
        Sources by input key.
    dependencies
        Every node that must have ended before, whether an input says so or the user.
    outputs
        Declared outputs; ``None`` for a plain class, which declares nothing.
    libraries
        Modules that the task imports when it runs.
    framewise
        Whether parts of its movies can be computed apart and put together.
    tags, export, retries
        As the user wrote them.
    code
        Files of the user's own task, beside pyCyto's.
    placement
        Where and how it runs.
    seed
        The pipeline's seed.
    """

    name: str
    task: str
    params: Mapping[str, JSON] = field(default_factory=dict)
    path_params: tuple[str, ...] = ()
    inputs: Mapping[str, Source] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    outputs: Mapping[str, Port] | None = None
    libraries: tuple[str, ...] = ()
    framewise: bool = False
    tags: tuple[str, ...] = ()
    export: Export | None = None
    retries: int = 0
    code: tuple[str, ...] = ()
    placement: Placement = field(default_factory=Placement)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A pipeline ready to run.

    Parameters
    ----------
    pipeline, resources
        The files it was made from; *resources* is ``None`` where there is none.
    output_dir
        Where everything goes.
    profile, profile_reason
        The profile's name and why it was chosen.
    nodes
        By name, each after the nodes that it depends on.
    channels
        The channels that nodes read, by name.
    warnings
        What is odd and does not hinder.
    """

    pipeline: Path
    output_dir: Path
    nodes: Mapping[str, Node]
    channels: Mapping[str, Channel] = field(default_factory=dict)
    resources: Path | None = None
    profile: str = ""
    profile_reason: str = ""
    warnings: tuple[Problem, ...] = ()
