"""Whether this machine can do what a plan asks, before anything runs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from cyto.core.units import format_memory
from cyto.engine.plan import Node, Plan
from cyto.errors import UnavailableError
from cyto.runners.building import how_to_build
from cyto.runners.environment import Environment, get_environment
from cyto.runners.machine import Machine, this_machine
from cyto.runners.slurm import Slurm


def check_plan(plan: Plan) -> None:
    """Make sure of every program, daemon, image, library and resource that the plan needs.

    Raises
    ------
    UnavailableError
        All that is missing; each with the node, the line that asks for it, and what to do.
    """
    faults = list(dict.fromkeys(_faults(plan)))
    if faults:
        raise UnavailableError("\n".join(faults))


def _faults(plan: Plan) -> Iterator[str]:
    machine = this_machine()
    checked: dict[tuple[object, ...], str] = {}
    clusters: dict[tuple[tuple[str, str], ...], str] = {}
    for node in plan.nodes.values():
        placement = node.placement
        if placement.launcher == "local":
            yield from _too_much(node, machine)
            yield from _another_machine(node)
        else:
            options = placement.launcher_options
            if options not in clusters:
                clusters[options] = _cluster_fault(node)
            if clusters[options]:
                yield clusters[options]
            yield from _not_for_a_cluster(node)
        yield from _binds(node)
        same = (
            placement.launcher,
            placement.environment,
            placement.image,
            placement.pull,
            placement.packages,
        )
        if same not in checked:
            checked[same] = _environment_fault(node)
        if checked[same]:
            yield checked[same]
        elif placement.environment == "baremetal":
            yield from _libraries(node)


def _cluster_fault(node: Node) -> str:
    try:
        Slurm().check(node.placement)
    except UnavailableError as error:
        return _said(node, error.message, error.hint)
    return ""


def _not_for_a_cluster(node: Node) -> Iterator[str]:
    if node.placement.node_selector:
        yield _said(
            node,
            "Slurm knows no node_selector",
            "write resources.constraint, partition or nodelist",
        )


def _environment_fault(node: Node) -> str:
    environment = get_environment(node.placement.environment)
    try:
        environment.check(node.placement)
    except UnavailableError as error:
        if node.placement.launcher != "local" and not _usable_here(environment):
            return _missing_file(node)
        return _said(node, error.message, error.hint)
    return ""


def _usable_here(environment: Environment) -> bool:
    """Tell whether this machine has the program; a login node need not, its compute nodes do."""
    try:
        getattr(environment, "check_program", lambda: None)()
    except UnavailableError:
        return False
    return True


def _missing_file(node: Node) -> str:
    """Say that a SIF is not there, for this machine shares its files with the compute nodes."""
    image = node.placement.image or ""
    if not image.startswith("/") or Path(image).exists():
        return ""
    made = how_to_build(image, "apptainer")
    return _said(node, f"there is no {image!r}", f"make it with: {made}")


def _too_much(node: Node, machine: Machine) -> Iterator[str]:
    """Say which resource the machine has less of than the node asks for."""
    wanted = node.placement.resources
    if wanted.gpus > len(machine.gpu_ids):
        yield _said(
            node,
            f"asks for {wanted.gpus} GPU{'s' * (wanted.gpus > 1)} and this machine has "
            f"{len(machine.gpu_ids)}",
            "set resources.gpu to 0, or use --profile local",
        )
    if (wanted.cpus or 0) > machine.cpus:
        yield _said(
            node,
            f"asks for {wanted.cpus} cpus and this machine has {machine.cpus}",
            f"set resources.cpus to {machine.cpus} or less",
        )
    if (wanted.memory_bytes or 0) > machine.memory_bytes:
        yield _said(
            node,
            f"asks for {format_memory(wanted.memory_bytes or 0)} of memory and this machine has "
            f"{format_memory(machine.memory_bytes)}",
            "set resources.memory to less",
        )


def _another_machine(node: Node) -> Iterator[str]:
    """Say which labels the node asks for that this machine does not have."""
    labels = dict(
        part.strip().partition("=")[::2]
        for part in os.environ.get("CYTO_NODE_LABELS", "").split(",")
    )
    for name, value in node.placement.node_selector:
        if labels.get(name) != value:
            yield _said(
                node,
                f"its node_selector asks for a machine with {name}={value}, which this is not",
                f"run it there, set CYTO_NODE_LABELS={name}={value} if this machine has it, "
                "or choose another --profile",
            )


def _binds(node: Node) -> Iterator[str]:
    for bind in node.placement.binds:
        if not Path(bind.source).exists():
            yield _said(
                node,
                f"binds: there is no {bind.source!r} to mount at {bind.target}",
                "correct its path; relative ones start from the resources file",
            )


def _libraries(node: Node) -> Iterator[str]:
    lacking = [name for name in node.libraries if importlib.util.find_spec(name) is None]
    if lacking:
        yield _said(
            node,
            f"{node.task.rpartition('.')[2]} needs {' and '.join(lacking)}, not installed here",
            f"pip install '{_extra(node.task)}', or run the node in a container (--profile)",
        )


def _extra(task: str) -> str:
    tool = task.split(".")[-2] if task.startswith("cyto.") else ""
    return f"pycyto[{tool}]" if tool in {"cellpose", "stardist"} else "pycyto[tasks]"


def _said(node: Node, message: str, hint: str) -> str:
    place = node.placement.source
    where = f"{place}: " if place else ""
    return f"{where}node {node.name!r}: {message}" + (f"\n    {hint}" if hint else "")
