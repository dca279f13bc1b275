"""A direct call of a task that runs elsewhere: ``CellPose(…, execution_config={…})(data)``."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto._typing import TaskData
from cyto.core.layout import JobLayout, cache_folder
from cyto.core.placement import Placement
from cyto.core.request import Ref, TaskRequest, TaskResult
from cyto.errors import TaskFailedError, UnavailableError
from cyto.task.base import checked_inputs
from cyto.task.code import code_roots, path_parameters
from cyto.task.ports import CONTEXT_KEYS

if TYPE_CHECKING:
    from cyto.task.base import PipelineTask


def run_elsewhere(task: PipelineTask, data: TaskData) -> dict[str, Any]:
    """Run *task* on *data* where its ``execution_config`` says.

    The data pass through a folder in the cache (``$CYTO_CACHE``), which is removed afterwards; it
    stays when the task fails, so that its log can be read.

    Raises
    ------
    ConfigError
        The execution config is wrong.
    UnavailableError
        What it asks for is not there.
    TaskInputError
        The data do not fit.
    TaskFailedError
        The task failed; its traceback and log are attributes.
    """
    from cyto.config import placement_from_execution_config
    from cyto.runners.environment import get_environment
    from cyto.runners.worker import Worker, worker_spec

    placement = placement_from_execution_config(task.execution_config or {})
    if placement.launcher != "local":
        raise UnavailableError(
            f"a direct call cannot go through {placement.launcher!r}",
            hint="put the task into a pipeline, or leave the launcher out",
        )
    ready = checked_inputs(task, data)
    environment = get_environment(placement.environment)
    environment.check(placement)
    dotted = f"{type(task).__module__}.{type(task).__qualname__}"
    code, paths = code_roots(dotted), path_parameters(type(task), task.params)
    gpu_ids = _gpus(placement)
    name = f"cyto-call-{uuid.uuid4().hex[:12]}"
    jobs = cache_folder() / "calls" / name
    folder = jobs / "job"
    (folder / "in").mkdir(parents=True)
    try:
        inputs = _save_inputs(task, ready, folder / "in")
    except BaseException:
        shutil.rmtree(jobs, ignore_errors=True)
        raise
    request = TaskRequest(
        task=dotted,
        params={**task.params, **paths},
        inputs=inputs,
        folder=str(folder),
        node=type(task).__name__,
        path_params=tuple(paths),
        code=code,
    )
    spec = worker_spec(
        name=name,
        placement=placement,
        jobs=jobs,
        readable=tuple(paths.values()),
        code=code,
        gpu_ids=gpu_ids,
        threads=placement.resources.cpus,
    )
    with Worker(spec, environment) as worker:
        result = worker.run(request)
    return _outputs(result, task, JobLayout(folder), jobs)


def _save_inputs(task: PipelineTask, data: TaskData, folder: Path) -> Mapping[str, Ref]:
    from cyto.runners import exchange

    refs = {}
    for key, value in data.items():
        port = None if key in CONTEXT_KEYS else task.inputs.get(key, task.more_inputs)
        kind = exchange.infer_kind(key, value) if port is None else port.kind
        refs[key] = exchange.save(value, kind, folder, key)
    return refs


def _outputs(
    result: TaskResult, task: PipelineTask, job: JobLayout, folder: Path
) -> dict[str, Any]:
    from cyto.runners import exchange

    if not result.ok:
        raise TaskFailedError(
            result.message,
            node=type(task).__name__,
            reason=result.reason,
            traceback=result.traceback,
            log=str(job.log),
        )
    # mapped pages outlive the files' names, so the folder can go at once
    values = {key: exchange.load(ref, writable=True) for key, ref in result.outputs.items()}
    if not any(ref.format == "file" for ref in result.outputs.values()):
        shutil.rmtree(folder, ignore_errors=True)
    return values


def _gpus(placement: Placement) -> tuple[str, ...]:
    from cyto.runners.machine import this_machine

    wanted, there = placement.resources.gpus, this_machine().gpu_ids
    if wanted > len(there):
        raise UnavailableError(
            f"the task asks for {wanted} GPU{'s' * (wanted > 1)} and this machine has {len(there)}",
            hint="set resources.gpu to 0, or run it where there is a GPU",
        )
    return there[:wanted]
