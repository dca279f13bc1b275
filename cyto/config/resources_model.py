"""The resources format: what a ``pipeline-resources.X.yaml`` may hold."""

import shlex
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Tag

from cyto.config.amounts import Count, Resources
from cyto.config.fields import (
    Package,
    Seconds,
    Strict,
    Text,
    TextList,
    WrongValueError,
    blank,
    check_variable,
    one_of,
)


class Bind(Strict):
    """A folder or file of the host that the container sees."""

    source: Text = Field(description="On the host; relative to this file.")
    target: Annotated[Text, Field(pattern=r"^/[^/]")] = Field(
        description="In the container, absolute."
    )
    writable: bool = Field(default=False, description="Whether the container may write there.")


def _as_bind(value: str | Bind) -> Bind:
    if isinstance(value, Bind):
        return value
    source, _, rest = value.partition(":")
    target, _, mode = rest.partition(":")
    if source and target.startswith("/") and target != "/" and mode in {"", "ro", "rw"}:
        return Bind(source=source, target=target, writable=mode == "rw")
    raise WrongValueError(
        f"{value!r} is no mount",
        "write source:target, source:target:rw, or {source: …, target: …, writable: true}; "
        "the target is absolute",
    )


AnyBind = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[Bind, Tag("<map>")],
    one_of("'source:target' or a mapping with source and target"),
    AfterValidator(_as_bind),
]


def _as_argv(value: str | tuple[str, ...]) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(value)) if isinstance(value, str) else value
    except ValueError as error:
        raise WrongValueError(f"{value!r} is no command: {error}") from error
    if not words:
        raise WrongValueError("expected a command, or a list of its words")
    return words


Argv = Annotated[
    Annotated[Text, Tag("<text>")]
    | Annotated[Annotated[TextList, Field(min_length=1)], Tag("<list>")],
    one_of("a command, or a list of its words"),
    AfterValidator(_as_argv),
]
Variable = Annotated[str, AfterValidator(check_variable)]
Setting = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[int, Tag("<int>")],
    one_of("text (put it in quotes)"),
    AfterValidator(str),
]


Group = Annotated[
    Annotated[bool, Tag("<bool>")] | Annotated[Count, Tag("<int>")],
    one_of("true, false or how many nodes"),
]


class Entry(Strict):
    """Where and how a node runs."""

    type: Literal["container", "baremetal"] | None = Field(
        default=None,
        description="Left out: container where an image or runner is given, else baremetal.",
    )
    runner: Text | None = Field(
        default=None,
        description="docker, podman, apptainer, singularity, or an installed plugin; docker where "
        "a container names none.",
    )
    image: Text | None = Field(
        default=None, description="Name of an image, or path of a SIF (relative to this file)."
    )
    launcher: Literal["local", "slurm"] | None = Field(
        default=None, description="Left out: slurm where a Slurm-only key is given, else local."
    )
    pull: Literal["never", "missing", "always"] | None = Field(
        default=None,
        description="Left out: missing for names with a registry, never for bare names.",
    )
    network: bool | None = Field(
        default=None, description="Whether the container reaches the network."
    )
    binds: Annotated[tuple[AnyBind, ...], Field(strict=False)] | None = Field(
        default=None, description="More folders or files that the container sees."
    )
    env: Annotated[dict[Variable, Setting], blank(dict)] = Field(
        default_factory=dict, description="Environment variables of the task."
    )
    packages: Annotated[tuple[Package, ...], blank(tuple)] = Field(
        default=(),
        strict=False,
        description="Python packages to add to the image; built once and kept.",
    )
    python: Argv | None = Field(
        default=None, description="What starts Python there, such as pixi run -e gpu python."
    )
    pids: Count | None = Field(default=None, description="How many processes and threads at most.")
    isolate: bool | None = Field(
        default=None, description="A worker of its own, shared with no node."
    )
    max_tasks: Count | None = Field(
        default=None,
        description="How many tasks a worker takes before another comes in its place, for tools "
        "that leak memory; left out: any number.",
    )
    max_idle: Seconds | None = Field(
        default=None, description="How long a worker may wait for its next task; left out: 5min."
    )
    group: Group | None = Field(
        default=None,
        description="Run the nodes of this entry one after the other in one job of a cluster: "
        "true for all that are ready at the same time, a number for so many per job.",
    )
    resources: Annotated[Resources, blank(Resources)] = Field(
        default_factory=Resources, description="cpus, memory, gpus, walltime and Slurm's options."
    )


Profile = Annotated[dict[Text, Entry], blank(dict)]


class ResourcesFile(Strict):
    """Where and how each node of a pipeline runs."""

    execution_configs: dict[Text, Profile] = Field(
        min_length=1,
        description="For each profile, entries by node name, tag:NAME, or default; the most exact "
        "wins, and a node that none addresses runs on bare metal.",
    )
    slurm: Annotated[Resources, blank(Resources)] = Field(
        default_factory=Resources,
        description="Defaults for all nodes that Slurm runs, such as account, time or partition; "
        "an entry's own resources win. With mem-per-cpu here, memory is only asked for per cpu.",
    )
    default_profile: Text | None = Field(
        default=None,
        description="Profile when neither the command line nor the pipeline names one.",
    )


SHAPES: dict[tuple[str, ...], type[Strict]] = {
    (): ResourcesFile,
    ("execution_configs", "*", "*"): Entry,
    ("execution_configs", "*", "*", "resources"): Resources,
    ("slurm",): Resources,
    ("execution_configs", "*", "*", "binds", "*"): Bind,
}
"""Which model stands at which path; ``*`` is any key."""
