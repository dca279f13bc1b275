"""The tasks that a pipeline names: found, loaded without their tools, parameters checked."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from cyto._typing import JSON
from cyto.config import PipelineConfig
from cyto.core.placement import Placement
from cyto.errors import ParameterError, Problem, TaskInputError
from cyto.runners.blocks import JOINED
from cyto.task import PipelineTask, Port, build_task, load_task
from cyto.task.code import code_roots, path_parameters
from cyto.task.parameters import find_faults

_HOMES: tuple[str, ...] = (
    "preprocessing", "segmentation", "tabulation", "tracking", "contact", "postprocessing",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What is known of a node's task before it runs.

    Parameters
    ----------
    inputs, outputs, more_inputs
        Declared ports; ``None`` for *outputs* and *inputs* of a plain class, which takes and
        gives anything.
    params, path_params
        Parameters in the form that the worker gets.
    libraries, code
        What it needs when it runs.
    framewise
        Whether parts of its movies can be computed apart and put together.
    """

    inputs: Mapping[str, Port] | None = None
    outputs: Mapping[str, Port] | None = None
    more_inputs: Port | None = None
    params: Mapping[str, JSON] = field(default_factory=dict)
    path_params: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    framewise: bool = False


def load_node(
    config: PipelineConfig,
    name: str,
    placement: Placement,
    roots: dict[str, tuple[str, ...]] | None = None,
) -> tuple[Loaded, list[Problem], list[Problem]]:
    """Load the class of node *name* and check its parameters.

    *roots* remembers where the code of each class lies, for the nodes that come after.

    Returns
    -------
    What is known, the problems, and the warnings.
    """
    task = config.tasks[name]
    where: tuple[str, ...] = ("tasks", name, "module")
    try:
        with _nothing_written():
            cls = load_task(task.module)
        known = {} if roots is None else roots
        if task.module not in known:
            known[task.module] = code_roots(task.module)
        code = known[task.module]
    except TaskInputError as error:
        return Loaded(), [config.problem(where, error.message, error.hint)], []
    except ModuleNotFoundError as error:
        return _unloadable(config, name, placement, error)
    except Exception as error:  # noqa: BLE001 - a user's module may raise anything
        message = f"{task.module!r} cannot be imported: {type(error).__name__}: {error}"
        return Loaded(), [config.problem(where, message)], []
    problems = _check_params(config, name, cls)
    if problems:
        return Loaded(), problems, []
    paths = path_parameters(cls, task.params, str(config.source.folder))
    loaded = Loaded(
        params={**task.params, **paths},
        path_params=tuple(paths),
        code=code,
    )
    if issubclass(cls, PipelineTask):
        built = cls(**{**task.params, **paths})
        outputs = _outputs(cls, task.inputs)
        loaded = Loaded(
            inputs=cls.inputs,
            outputs=outputs,
            more_inputs=cls.more_inputs,
            params=built.params,
            path_params=tuple(paths),
            libraries=tuple(cls.libraries),
            code=code,
            framewise=cls.framewise and all(port.kind in JOINED for port in outputs.values()),
        )
    return loaded, [], []


@contextmanager
def _nothing_written() -> Iterator[None]:
    """Let Python leave no compiled files beside the user's modules."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _outputs(cls: type[PipelineTask], inputs: object) -> Mapping[str, Port]:
    """Give the declared outputs, and those that bear the names of further inputs."""
    if cls.more_outputs is None or not isinstance(inputs, Mapping):
        return cls.outputs
    further = {key: cls.more_outputs for key in inputs if key not in cls.inputs}
    return {**further, **cls.outputs}


def _check_params(config: PipelineConfig, name: str, cls: type) -> list[Problem]:
    """Make the task; only where that fails, all that is wrong is looked for."""
    params = config.tasks[name].params
    try:
        build_task(cls, params) if issubclass(cls, PipelineTask) else _plain(cls, params)
    except ParameterError as error:
        faults = [error]
        if issubclass(cls, PipelineTask):
            faults = find_faults(cls.parameters, params, cls.__name__) or faults
        return [_of_parameter(config, name, fault) for fault in faults]
    return []


def _of_parameter(config: PipelineConfig, name: str, error: ParameterError) -> Problem:
    params = config.tasks[name].params
    path: tuple[str, ...] = ("tasks", name, "params", error.parameter)
    if error.parameter not in params:
        path = ("tasks", name, "params" if params else "module")
    unknown = error.parameter in params and error.message.startswith("unknown")
    return config.problem(path, error.message, error.hint, key=unknown)


def _plain(cls: type, params: Mapping[str, JSON]) -> None:
    from cyto.task.loading import check_plain

    check_plain(cls, params)


def _unloadable(
    config: PipelineConfig, name: str, placement: Placement, error: ModuleNotFoundError
) -> tuple[Loaded, list[Problem], list[Problem]]:
    """Judge a module whose own imports fail here: in a container they may not."""
    task = config.tasks[name]
    where = ("tasks", name, "module")
    message = f"{task.module!r} imports {error.name!r}, which is not installed here"
    if placement.environment == "baremetal":
        hint = f"pip install {error.name}, or run the node in a container that has it"
        return Loaded(), [config.problem(where, message, hint)], []
    hint = "its parameters are not checked; import heavy libraries inside run_baremetal"
    loaded = Loaded(params=task.params, code=code_roots(task.module))
    return loaded, [], [config.problem(where, message, hint)]


def shipped_tasks() -> Iterator[type[PipelineTask]]:
    """Find every task of pyCyto, and those that other packages register as ``cyto.tasks``."""
    for home in _HOMES:
        if importlib.util.find_spec(f"cyto.{home}") is None:
            continue
        package = importlib.import_module(f"cyto.{home}")
        for info in pkgutil.iter_modules(package.__path__):
            if not info.name.startswith("_"):
                yield from _tasks_of(f"cyto.{home}.{info.name}")
    for point in entry_points(group="cyto.tasks"):
        yield point.load()


def _tasks_of(module: str) -> Iterator[type[PipelineTask]]:
    for thing in vars(importlib.import_module(module)).values():
        if (
            isinstance(thing, type)
            and issubclass(thing, PipelineTask)
            and thing.__module__ == module
        ):
            yield thing
