"""From an entry of a resources file to a `Placement`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto.config.contradictions import SIF_RUNNERS, slurm_keys
from cyto.config.gres import parse_gres
from cyto.config.paths import expanded
from cyto.config.resources_model import Bind, Entry
from cyto.config.sbatch_options import FLAGS, VALUES
from cyto.config.site import given, with_site
from cyto.core import placement as core

if TYPE_CHECKING:
    from cyto.config.amounts import NeutralResources

_CARRIED = {*VALUES, *FLAGS, "gres"}


def placement_of(
    entry: Entry,
    folder: Path,
    *,
    source: str = "",
    key: str = "",
    site: NeutralResources | None = None,
) -> core.Placement:
    """Translate an entry.

    Parameters
    ----------
    entry
        Checked already.
    folder
        What relative images and mounts are relative to, absolute.
    source, key
        Where it was written, and the key that it was written under.
    site
        What the file says for all nodes that Slurm runs.

    Returns
    -------
    ``singularity`` becomes ``apptainer``, which is the same. Options that only Slurm understands
    are in ``launcher_options`` by their names without dashes; an empty value is a flag without
    one, and ``gres`` is there as written, in place of what ``resources.gpus`` would make.
    """
    environment, launcher = _environment(entry), _launcher(entry)
    resources, more = entry.resources, dict[str, str]()
    if site is not None and launcher == "slurm":
        resources, more = with_site(resources, site)
    optional: dict[str, Any] = {
        "python": entry.python,
        "pids": entry.pids,
        "isolate": entry.isolate,
        "max_tasks": entry.max_tasks,
        "max_idle_s": entry.max_idle,
    }
    return core.Placement(
        environment=environment,
        launcher=launcher,
        image=_image(entry.image, environment, folder),
        packages=entry.packages,
        pull=entry.pull,
        network=bool(entry.network),
        binds=tuple(_bind(bind, folder) for bind in entry.binds or () if isinstance(bind, Bind)),
        env=tuple((name, str(value)) for name, value in entry.env.items()),
        resources=_resources(resources),
        launcher_options=tuple({**_options(resources), **more}.items()),
        batch_size=resources.batch_size,
        max_parallel=resources.max_parallel,
        group=_group(entry.group),
        node_selector=tuple((k, str(v)) for k, v in resources.node_selector.items()),
        source=source,
        entry=key,
        **{name: value for name, value in optional.items() if value is not None},
    )


def _environment(entry: Entry) -> str:
    if entry.type == "baremetal" or not (entry.type or entry.runner or entry.image):
        return "baremetal"
    runner = entry.runner or "docker"
    return "apptainer" if runner == "singularity" else runner


def _launcher(entry: Entry) -> str:
    if entry.launcher:
        return entry.launcher
    return "slurm" if slurm_keys(given(entry.resources)) else "local"


def _group(said: bool | int | None) -> int | None:
    if said is None or said is False:
        return None
    return 0 if said is True else said


def _options(resources: NeutralResources) -> dict[str, str]:
    carried = {key: value for key, value in given(resources).items() if key in _CARRIED}
    return {key: "" if v is True else str(v) for key, v in carried.items() if v is not False}


def _resources(said: NeutralResources) -> core.Resources:
    gpus = said.gpu if said.gpu is not None else said.gpus
    if gpus is None:
        gpus = parse_gres(said.gres).get("gpu", 0) if said.gres else 0
    return core.Resources(
        cpus=said.cpus or said.cpus_per_task or said.cpus_per_task_slurm,
        memory_bytes=said.memory or said.mem,
        gpus=gpus,
        walltime_s=said.walltime or said.time,
    )


def _image(image: str | None, environment: str, folder: Path) -> str | None:
    """Make the path of a SIF or of an unpacked image absolute; leave names alone."""
    if not image or environment not in SIF_RUNNERS or "://" in image:
        return image
    path = Path(os.path.normpath(folder / expanded(image)))
    if "/" not in image and image.endswith(".sif") and not path.exists():
        path = _built(image, folder) or path
    if image.endswith(".sif") or image.startswith(("/", "./", "../", "~")):
        return str(path)
    return str(path) if "/" in image and path.exists() else image


def _built(image: str, folder: Path) -> Path | None:
    """Find a SIF where ``containers/apptainer/build.sh`` puts it: in ``containers/images``."""
    homes = (Path.cwd(), folder, folder.parent)
    built = (home / "containers" / "images" / image for home in homes)
    return next((path for path in built if path.exists()), None)


def _bind(bind: Bind, folder: Path) -> core.Bind:
    source = str(folder / expanded(bind.source))
    return core.Bind(source=source, target=bind.target, writable=bind.writable)
