"""What no single key shows: keys of an entry that exclude each other."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from cyto.config.gres import parse_gres
from cyto.config.marks import KeyPath
from cyto.config.sbatch_options import FLAGS, VALUES
from cyto.errors import Problem, nearest

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.source import Source

BUILTIN = ("docker", "podman", "apptainer", "singularity")
SIF_RUNNERS = {"apptainer", "singularity"}
CONTAINER_ONLY = ("runner", "image", "pull", "network", "binds", "pids", "python", "packages")
SAME = (
    ("memory", "mem", "mem-per-cpu", "mem-per-gpu"),
    ("cpus", "cpus-per-task", "cpus_per_task", "cpus-per-gpu"),
    ("gpu", "gpus", "gres", "gpus-per-node", "gpus-per-task", "gpus-per-socket"),
    ("walltime", "time"),
)
"""Spellings of one amount; an entry uses one of each row."""

Found = list[tuple[KeyPath, str, str]]


def runners() -> list[str]:
    """Name the container runners that are installed, third parties' too."""
    points = importlib.metadata.entry_points(group="cyto.runners")
    return sorted({*BUILTIN, *(point.name for point in points)} - {"baremetal"})


def slurm_keys(resources: dict[str, JSON]) -> list[str]:
    """List the keys that only Slurm understands; any of them implies ``launcher: slurm``."""
    only = {*VALUES, *FLAGS, "gres", "cpus-per-task", "cpus_per_task"}
    given = [key for key, value in resources.items() if value is not None and value is not False]
    return [key for key in given if key in only]


def check_entries(source: Source, path: KeyPath, entry: JSON) -> list[Problem]:
    """Find contradictions in one entry; values of the wrong type are passed over."""
    if not isinstance(entry, dict):
        return []
    resources = entry.get("resources")
    found = [*_environment(entry), *_image(entry)]
    if isinstance(resources, dict):
        found += [*_spellings(resources), *_launcher(entry, resources)]
    return [source.problem((*path, *at), text, hint, key=True) for at, text, hint in found]


def check_site(source: Source) -> list[Problem]:
    """Find contradictions in what the file says for all nodes that Slurm runs."""
    site = source.data.get("slurm")
    found = _spellings(site) if isinstance(site, dict) else []
    return [source.problem(("slurm", *at[1:]), text, hint, key=True) for at, text, hint in found]


def _environment(entry: dict[str, JSON]) -> Found:
    kind, runner = entry.get("type"), entry.get("runner")
    if kind == "baremetal":
        hint = "write type: container, or leave it out"
        given = [key for key in CONTAINER_ONLY if entry.get(key) is not None]
        return [((key,), f"{key!r} has no meaning with type: baremetal", hint) for key in given]
    container = kind == "container" or (kind is None and (runner or entry.get("image")))
    if not container:
        hint = "add an image, or leave it out"
        given = [key for key in CONTAINER_ONLY if entry.get(key) is not None]
        return (
            [((key,), f"{key!r} needs a container", hint) for key in given] if kind is None else []
        )
    found: Found = []
    if not entry.get("image"):
        found.append(((), "a container needs an image", "add image: NAME, or a SIF's path"))
    if isinstance(runner, str) and runner and runner not in runners():
        hint = "write type: baremetal" if runner == "baremetal" else ""
        hint = hint or nearest(runner, runners(), what="runner")
        found.append((("runner",), f"there is no runner {runner!r}", hint))
    return found


def _image(entry: dict[str, JSON]) -> Found:
    image, runner = entry.get("image"), entry.get("runner") or "docker"
    if entry.get("packages") and runner not in ("docker", "podman"):
        text = f"'packages' needs docker or podman, which build the image; {runner} does not"
        return [(("packages",), text, "build a SIF that has them: cyto build --help")]
    if not isinstance(image, str) or runner not in ("docker", "podman"):
        return []
    if image.endswith(".sif"):
        text = f"{image!r} is a SIF, which {runner} cannot start"
        return [(("image",), text, "write runner: apptainer")]
    return []


def _spellings(resources: dict[str, JSON]) -> Found:
    found: Found = []
    for row in SAME:
        given = [key for key in resources if key in row and resources[key] is not None]
        if row[2:3] == ("gres",) and "gres" in given and not _asks_gpu(resources["gres"]):
            given.remove("gres")
        if len(given) > 1:
            text = f"{given[1]!r} and {given[0]!r} say the same twice"
            found.append((("resources", given[1]), text, "leave one out"))
    return found


def _asks_gpu(gres: JSON) -> bool:
    try:
        return isinstance(gres, str) and "gpu" in parse_gres(gres)
    except ValueError:
        return False


def _launcher(entry: dict[str, JSON], resources: dict[str, JSON]) -> Found:
    if entry.get("launcher") != "local":
        return []
    neutral = {"cpus-per-task", "cpus_per_task"}
    neutral |= {"gres"} if _asks_gpu(resources.get("gres")) else set()
    return [
        (
            ("resources", key),
            f"{key!r} has a meaning for Slurm only, and launcher is local",
            "write launcher: slurm, or leave the key out",
        )
        for key in slurm_keys(resources)
        if key not in neutral
    ]
