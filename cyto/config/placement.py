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
from cyto.core import placement as core

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.amounts import NeutralResources

_CARRIED = {*VALUES, *FLAGS, "gres"}


def placement_of(entry: Entry, folder: Path, *, source: str = "", key: str = "") -> core.Placement:
    """Translate an entry.

    Parameters
    ----------
    entry
        Checked already.
    folder
        What relative images and mounts are relative to, absolute.
    source, key
        Where it was written, and the key that it was written under.

    Returns
    -------
    ``singularity`` becomes ``apptainer``, which is the same. Options that only Slurm understands
    are in ``launcher_options`` by their names without dashes; an empty value is a flag without
    one, and ``gres`` is there as written, in place of what ``resources.gpus`` would make.
    """
    environment = _environment(entry)
    optional: dict[str, Any] = {
        "python": entry.python,
        "pids": entry.pids,
        "isolate": entry.isolate,
    }
    return core.Placement(
        environment=environment,
        launcher=_launcher(entry),
        image=_image(entry.image, environment, folder),
        packages=entry.packages,
        pull=entry.pull,
        network=bool(entry.network),
        binds=tuple(_bind(bind, folder) for bind in entry.binds or () if isinstance(bind, Bind)),
        env=tuple((name, str(value)) for name, value in entry.env.items()),
        resources=_resources(entry.resources),
        launcher_options=tuple(_options(entry.resources).items()),
        batch_size=entry.resources.batch_size,
        node_selector=tuple((k, str(v)) for k, v in entry.resources.node_selector.items()),
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
    return "slurm" if slurm_keys(_given(entry.resources)) else "local"


def _given(resources: NeutralResources) -> dict[str, JSON]:
    """Give what was said, under the names that people write."""
    return {
        field.alias or name: value
        for name, field in type(resources).model_fields.items()
        if (value := getattr(resources, name)) is not None and name in resources.model_fields_set
    }


def _options(resources: NeutralResources) -> dict[str, str]:
    given = {key: value for key, value in _given(resources).items() if key in _CARRIED}
    return {key: "" if v is True else str(v) for key, v in given.items() if v is not False}


def _resources(given: NeutralResources) -> core.Resources:
    gpus = given.gpu if given.gpu is not None else given.gpus
    if gpus is None:
        gpus = parse_gres(given.gres).get("gpu", 0) if given.gres else 0
    return core.Resources(
        cpus=given.cpus or given.cpus_per_task or given.cpus_per_task_slurm,
        memory_bytes=given.memory or given.mem,
        gpus=gpus,
        walltime_s=given.walltime or given.time,
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
