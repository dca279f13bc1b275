"""A pipeline that was checked: everything that running it needs, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyto._typing import JSON
from cyto.core.placement import Placement
from cyto.errors import Problem
from cyto.task import Port

if TYPE_CHECKING:
    from cyto.io.channels import Channel  # NumPy comes with it


def sample_name(sample: str, name: str) -> str:
    """Name what a node or channel is for one sample: ``<sample>/<name>``."""
    return f"{sample}/{name}"


def plain_name(name: str) -> str:
    """Give the name that the pipeline file has for a node or channel of a plan."""
    return name.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One sample's part of a collected input.

    Parameters
    ----------
    sample, node
        The sample, and its node that makes the table.
    conditions
        What the user says of the sample: names and values, in the user's order.
    """

    sample: str
    node: str
    conditions: tuple[tuple[str, JSON], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where an input comes from: a channel, or a node's output.

    *key* is the output's key; empty for a channel. With *members* it is the tables of all samples
    joined, and *name* the node that makes each of them.
    """

    name: str
    key: str = ""
    members: tuple[Member, ...] = ()

    @property
    def is_channel(self) -> bool:
        """Whether it is a channel."""
        return not self.key

    def __str__(self) -> str:
        of = f" of {len(self.members)} samples" if self.members else ""
        return self.name if self.is_channel else f"{self.name}.{self.key}{of}"


@dataclass(frozen=True, kw_only=True)
class Export:
    """How a node's results are written for people.

    *images* is ``ome-tiff`` or ``ome-zarr``, *compression* ``zstd`` (the default), ``zlib`` or
    ``none``; *parquet* adds a Parquet file to each CSV. With *files* only these outputs are
    written, each under its name in the output folder (of the sample) instead of the node's own.
    """

    images: Literal["ome-tiff", "ome-zarr"] = "ome-tiff"
    compression: Literal["zstd", "zlib", "none"] | None = None
    parquet: bool = False
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A named use of a task, ready to run.

    Parameters
    ----------
    name, task
        The node's name (``<sample>/<name>`` where it runs once per sample) and its task's dotted
        path.
    params, path_params
        The parameters as the task gets them; which of them are absolute paths of files.
    inputs
        Sources by input key.
    dependencies
        Every node that must have ended before, whether an input says so or the user.
    soft
        Those of them that need not have succeeded: each sample's node before one that collects.
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
    soft: tuple[str, ...] = ()
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
        The channels that nodes read, by name (``<sample>/<name>`` where samples differ in it).
    samples
        The conditions of each sample, by its name; empty where the pipeline has no samples.
    faults
        What is wrong with channels of single samples, by the channel's name: the nodes that read
        them fail, all others run.
    only
        The nodes and samples that were asked for; empty when all were.
    warnings
        What is odd and does not hinder.
    description, authors, license
        What the pipeline says of itself; each author with ``name``, ``orcid``, ``affiliation``.
    base
        What relative paths in the pipeline are relative to; ``None``: its folder.
    tables
        Further files that it was made from: the CSV with the samples.
    """

    pipeline: Path
    output_dir: Path
    nodes: Mapping[str, Node]
    channels: Mapping[str, Channel] = field(default_factory=dict)
    samples: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    faults: Mapping[str, Problem] = field(default_factory=dict)
    resources: Path | None = None
    profile: str = ""
    profile_reason: str = ""
    only: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    description: str = ""
    authors: tuple[Mapping[str, JSON], ...] = ()
    license: str | None = None
    base: Path | None = None
    tables: tuple[Path, ...] = ()
