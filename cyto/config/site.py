"""What a resources file says once for all nodes that Slurm runs: ``slurm:``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cyto.config.contradictions import SAME

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.amounts import NeutralResources


def given(resources: NeutralResources) -> dict[str, JSON]:
    """Give what was said, under the names that people write."""
    return {
        field.alias or name: value
        for name, field in type(resources).model_fields.items()
        if (value := getattr(resources, name)) is not None and name in resources.model_fields_set
    }


def with_site(
    own: NeutralResources, site: NeutralResources
) -> tuple[NeutralResources, dict[str, str]]:
    """Fill up what an entry asks for with the site's defaults.

    Parameters
    ----------
    own, site
        The entry's ``resources``, and ``slurm:``. What the entry says, under whatever spelling,
        wins over the same amount in ``slurm:``.

    Returns
    -------
    resources
        Both together.
    options
        Slurm's options that come of it. A ``time`` of the site is the limit of a job, not of
        each task in it. Where the site gives ``mem-per-cpu``, memory is only ever asked for per
        cpu: an entry's own amount is divided by its cpus and rounded up.
    """
    said, theirs = given(own), given(site)
    taken = {key for key in theirs if not _says(said, key)}
    options: dict[str, str] = {}
    limit = site.walltime or site.time
    if limit and taken & {"time", "walltime"}:
        options["time"] = str(math.ceil(limit / 60))
    memory = own.memory or own.mem
    if memory and "mem-per-cpu" in theirs:
        cpus = own.cpus or own.cpus_per_task or own.cpus_per_task_slurm or _cpus(site, taken)
        options["mem-per-cpu"] = f"{math.ceil(memory / cpus / 2**20)}M"
    names = {field.alias or name: name for name, field in type(site).model_fields.items()}
    filled = {names[key]: theirs[key] for key in taken - {"time", "walltime"}}
    return own.model_copy(update=filled), options


def _cpus(site: NeutralResources, taken: set[str]) -> int:
    cpus = site.cpus or site.cpus_per_task or site.cpus_per_task_slurm
    return cpus if cpus and taken & {"cpus", "cpus_per_task", "cpus-per-task"} else 1


def _says(said: dict[str, JSON], key: str) -> bool:
    """Tell whether an entry says itself what *key* would."""
    same = {key}.union(*(row for row in (*SAME, ("requeue", "no-requeue")) if key in row))
    return bool(same & said.keys())
