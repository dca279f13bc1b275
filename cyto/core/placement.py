"""Where and how a task runs, as plain data: what a profile entry says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from cyto._typing import Environment, Pull


@dataclass(frozen=True)
class Resources:
    """What a task may use; ``None`` means that nobody said.

    Parameters
    ----------
    cpus
        Cores, ≥ 1. The scheduler counts 1 where nobody said.
    memory_bytes
        Limit, enforced by the environment or the launcher.
    gpus
        Number of GPUs, each the task's own.
    walltime_s
        The task is ended after this many seconds.
    """

    cpus: Optional[int] = None
    memory_bytes: Optional[int] = None
    gpus: int = 0
    walltime_s: Optional[float] = None


@dataclass(frozen=True)
class Bind:
    """A folder or file of the host that a container sees, read-only unless *writable*."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Placement:
    """Everything that a profile says of one node.

    Parameters
    ----------
    environment
        Name in the entry-point group ``cyto.runners``.
    launcher
        ``local`` or ``slurm``.
    image
        Image name or path of a SIF; ``None`` on bare metal.
    packages
        Python packages to add to the image; the result is kept under a name of its own.
    python
        The argv that starts Python inside the image; a tuple, for images where it is
        ``pixi run -e gpu python``.
    pull
        Whether the image may be fetched; ``None`` decides by its name (`may_pull`).
    network
        Whether a container reaches the network.
    binds, env
        More mounts and environment variables for a container.
    pids
        How many processes and threads a container may have; ``None`` is the environment's own.
    isolate
        Whether the task gets a worker of its own, which ends with it.
    max_tasks
        How many tasks a worker takes before another comes in its place; ``None``: any number.
    max_idle_s
        How long a worker waits for its next task.
    launcher_options
        Options that only the launcher understands, such as Slurm's partition.
    batch_size
        Frames per chunk for tasks that treat frames independently.
    max_parallel
        How many chunks of the node run at once; ``None`` is as many as there is room for.
    group
        How many nodes of this entry a cluster's job runs one after the other; 0 is all that wait
        at the same time, ``None`` gives each a job of its own.
    node_selector
        Labels that the machine must have.
    source
        Where the entry was written, ``file:line``; for messages.
    entry
        The key that won: a node's name, ``tag:…`` or ``default``; empty when none addressed it.
    """

    environment: Environment = "baremetal"
    launcher: str = "local"
    image: Optional[str] = None
    packages: tuple[str, ...] = ()
    python: tuple[str, ...] = ("python3",)
    pull: Optional[Pull] = None
    network: bool = False
    binds: tuple[Bind, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    pids: Optional[int] = None
    resources: Resources = field(default_factory=Resources)
    isolate: bool = False
    max_tasks: Optional[int] = None
    max_idle_s: float = 300.0
    launcher_options: tuple[tuple[str, str], ...] = ()
    batch_size: Optional[int] = None
    max_parallel: Optional[int] = None
    group: Optional[int] = None
    node_selector: tuple[tuple[str, str], ...] = ()
    source: str = ""
    entry: str = ""

    @property
    def may_pull(self) -> Pull:
        """The pull rule in force: bare local names are never looked for in a registry."""
        if self.pull is not None:
            return self.pull
        return "missing" if has_registry(self.image or "") else "never"


def has_registry(image: str) -> bool:
    """Tell whether an image's name says which registry it comes from.

    ``registry.example/cellpose:v1``, ``localhost:5000/x`` and ``docker://x`` do;
    ``cellpose:latest`` and ``your-lab/cellpose`` are names on this machine.
    """
    if "://" in image:
        return True
    host, slash, _ = image.partition("/")
    return (
        bool(slash)
        and ("." in host or ":" in host or host == "localhost")
        and host not in {".", ".."}
    )
