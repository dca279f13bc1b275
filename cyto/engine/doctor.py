"""What this machine, and an image, can run tasks with."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyto.core.placement import Placement
from cyto.core.request import TaskRequest
from cyto.core.units import format_memory
from cyto.engine.tasks import shipped_tasks
from cyto.errors import UnavailableError
from cyto.runners.environment import environment_names, get_environment
from cyto.runners.machine import this_machine
from cyto.runners.process import run
from cyto.runners.worker import Worker, worker_spec

if TYPE_CHECKING:
    from cyto.runners.slurm_probe import Seen


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    name, text
        What, and what was found.
    fine
        Whether it can be used.
    needed
        Whether nothing works without it.
    hint
        What to do.
    """

    name: str
    text: str
    fine: bool
    needed: bool = False
    hint: str = ""


def check_machine() -> list[Finding]:
    """Look at this machine: its size, its environments, Slurm, and the libraries of tasks."""
    machine = this_machine()
    gpus = len(machine.gpu_ids)
    return [
        Finding(
            name="machine",
            text=f"{machine.cpus} cpus, {format_memory(machine.memory_bytes)} of memory",
            fine=True,
        ),
        Finding(
            name="GPU",
            text=f"{gpus} found" if gpus else "none found (nvidia-smi names none)",
            fine=bool(gpus),
            hint="" if gpus else "tasks with 'gpu: 1' in their resources cannot run here",
        ),
        *(_environment(name) for name in ("docker", "podman", "apptainer")),
        *(_other(n) for n in environment_names() if n not in _KNOWN),
        _slurm(),
        *_libraries(),
    ]


_KNOWN = {"baremetal", "docker", "podman", "apptainer", "singularity"}


def _environment(name: str) -> Finding:
    environment = get_environment(name)
    check: Callable[[], str] = environment.check_program  # type: ignore[attr-defined]
    try:
        version = check()
    except UnavailableError as error:
        return Finding(name=name, text=error.message, fine=False, hint=error.hint)
    return Finding(name=name, text=f"version {version}, ready", fine=True)


def _other(name: str) -> Finding:
    try:
        get_environment(name)
    except UnavailableError as error:
        return Finding(name=name, text=error.message, fine=False, hint=error.hint)
    return Finding(name=name, text="installed", fine=True)


def _slurm() -> Finding:
    if shutil.which("sbatch") is None:
        return Finding(
            name="slurm",
            text="not found: no program 'sbatch' on the PATH",
            fine=False,
            hint="on a cluster, run this on the login node",
        )
    version, nodes = run(["sbatch", "--version"]), run(["sinfo", "--noheader", "-o", "%D %T"])
    if not nodes.ok:
        return Finding(
            name="slurm",
            text=f"{version.out.strip()}, but its controller does not answer",
            fine=False,
            hint=nodes.err.strip(),
        )
    states = ", ".join(nodes.out.split("\n")).strip(", ")
    return Finding(name="slurm", text=f"{version.out.strip()}; nodes: {states}", fine=True)


def _libraries() -> Iterator[Finding]:
    import importlib.util

    for cls in shipped_tasks():
        lacking = [name for name in cls.libraries if importlib.util.find_spec(name) is None]
        yield Finding(
            name=cls.__name__,
            text=f"lacks {', '.join(lacking)} on bare metal" if lacking else "runs on bare metal",
            fine=not lacking,
            hint="install it, or give its nodes an image that has it" if lacking else "",
        )


def check_slurm(
    partitions: Sequence[str], options: Mapping[str, str], folder: Path, limit_s: float
) -> list[Finding]:
    """Let a small job look around on a node of each partition.

    Parameters
    ----------
    partitions
        Their names; the cluster's default when empty.
    options
        More options of ``sbatch`` that the site wants.
    folder
        On the file system that runs will use.
    limit_s
        How long each job has, its time in the queue included.
    """
    from cyto.runners.slurm_probe import probe

    found: list[Finding] = []
    for name in partitions or [""]:
        seen = probe(name, folder=folder, options=options, limit_s=limit_s)
        found.extend(_seen(seen))
    return found


def _seen(seen: Seen) -> Iterator[Finding]:
    where = f"partition {seen.partition}" if seen.partition else "default partition"
    if seen.fault:
        yield Finding(name=where, text=seen.fault, fine=False, needed=True, hint=seen.hint)
        return
    name = f"{where}, node {seen.node}"
    text = f"runs pyCyto on Python {seen.python}, sees this folder"
    yield Finding(name=name, text=text, fine=True, needed=True)
    for environment, (fine, said) in seen.environments.items():
        text = f"version {said}, ready" if fine else said
        yield Finding(name=f"{name}, {environment}", text=text, fine=fine)
    text = ", ".join(seen.gpus) or "none found (nvidia-smi names none)"
    yield Finding(name=f"{name}, GPU", text=text, fine=bool(seen.gpus))


def check_image(image: str, runner: str, python: tuple[str, ...]) -> list[Finding]:
    """Run a worker in an image and see what it finds there.

    Returns
    -------
    One finding for the environment, one for the worker, one for each task.
    """
    placement = Placement(environment=runner, image=image, python=python)
    try:
        environment = get_environment(runner)
        environment.check(placement)
    except UnavailableError as error:
        return [Finding(name=image, text=error.message, fine=False, needed=True, hint=error.hint)]
    names = sorted({name for cls in shipped_tasks() for name in cls.libraries} | {"numpy"})
    with tempfile.TemporaryDirectory(prefix="cyto-doctor-") as folder:
        job = Path(folder) / "jobs" / "job"
        job.mkdir(parents=True)
        spec = worker_spec(
            name=f"cyto-doctor-{uuid.uuid4().hex[:12]}", placement=placement, jobs=job.parent
        )
        request = TaskRequest(
            task="cyto.task.probe.Probe", params={"libraries_wanted": list(names)}, folder=str(job)
        )
        with Worker(spec, environment) as worker:
            result = worker.run(request)
    if not result.ok:
        return [Finding(name=image, text=result.message, fine=False, needed=True)]
    found = result.outputs["value"].value
    libraries = found if isinstance(found, dict) else {}
    return [
        Finding(
            name=image,
            text=f"runs the worker on Python {result.versions.get('python')}",
            fine=True,
            needed=True,
        ),
        *_tasks_in_image(libraries),
    ]


def _tasks_in_image(libraries: Mapping[str, object]) -> Iterator[Finding]:
    numpy = libraries.get("numpy")
    yield Finding(
        name="numpy",
        text=f"version {numpy}" if numpy else "lacking: no array can reach a task",
        fine=bool(numpy),
        needed=True,
        hint="" if numpy else "install numpy in the image",
    )
    for cls in shipped_tasks():
        lacking = [name for name in cls.libraries if not libraries.get(name)]
        yield Finding(
            name=cls.__name__,
            text=f"lacks {', '.join(lacking)}" if lacking else "can run",
            fine=not lacking,
        )
