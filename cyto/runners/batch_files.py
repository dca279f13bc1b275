"""What a driver leaves for the jobs of a cluster, and what they leave for it.

Nothing but files pass between them: the driver may be gone, and come again on another machine.
Standard library; every job reads it when it starts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cyto.core.layout import BatchLayout
from cyto.core.placement import Bind, Placement, Resources
from cyto.core.request import TaskRequest
from cyto.runners.environment import Mount, WorkerSpec

WITHDRAWN = "withdrawn"
"""State of a submission that nobody wants any more: an element that starts late ends at once."""


def write_whole(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON so that a reader finds the old file or the new one, whatever happens meanwhile."""
    part = path.with_suffix(f".{os.urandom(4).hex()}.part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; an empty one where there is no file."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return data


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """What the elements of one submission do.

    Parameters
    ----------
    spec
        The worker; each element makes its name unique.
    environment
        Module and class of its environment, so that no job must look for entry points.
    counts
        How many requests each element has.
    offsets
        Where each element's line begins in the file of requests, in bytes.
    """

    spec: WorkerSpec
    environment: tuple[str, str]
    counts: tuple[int, ...]
    offsets: tuple[int, ...]


def write_plan(
    layout: BatchLayout,
    spec: WorkerSpec,
    environment: object,
    elements: Sequence[Sequence[TaskRequest]],
) -> None:
    """Write the requests and the plan."""
    offsets, position = [], 0
    with open(layout.requests, "wb") as file:
        for element in elements:
            line = json.dumps([request.to_json() for request in element]).encode() + b"\n"
            offsets.append(position)
            position += file.write(line)
    plan = {
        "spec": asdict(spec),
        "environment": [type(environment).__module__, type(environment).__qualname__],
        "counts": [len(element) for element in elements],
        "offsets": offsets,
    }
    write_whole(layout.batch, plan)


def read_plan(layout: BatchLayout) -> BatchPlan:
    """Read what `write_plan` wrote."""
    data = read_json(layout.batch)
    module, name = data["environment"]
    return BatchPlan(
        spec=_spec(data["spec"]),
        environment=(module, name),
        counts=tuple(data["counts"]),
        offsets=tuple(data["offsets"]),
    )


def read_requests(layout: BatchLayout, plan: BatchPlan, element: int) -> list[TaskRequest]:
    """Read the requests of one element, and no other's."""
    with open(layout.requests, "rb") as file:
        file.seek(plan.offsets[element])
        return [TaskRequest.from_json(one) for one in json.loads(file.readline())]


def _spec(data: dict[str, Any]) -> WorkerSpec:
    placement = dict(data["placement"])
    placement["resources"] = Resources(**placement["resources"])
    placement["binds"] = tuple(Bind(**bind) for bind in placement["binds"])
    for name in ("env", "launcher_options", "node_selector"):
        placement[name] = tuple((key, value) for key, value in placement[name])
    for name in ("packages", "python"):
        placement[name] = tuple(placement[name])
    return WorkerSpec(
        **{
            **data,
            "placement": Placement(**placement),
            "mounts": tuple(Mount(**mount) for mount in data["mounts"]),
            "gpu_ids": tuple(data["gpu_ids"]),
            "user": tuple(data["user"]),
        }
    )
