"""From a dotted path to a task."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Mapping
from typing import Any

from cyto._typing import JSON
from cyto.errors import ParameterError, TaskInputError, nearest
from cyto.task.base import PipelineTask, run_checked
from cyto.task.ports import check_outputs


def load_task(path: str) -> type:
    """Import the class that *path* (``package.module.Class``) names.

    Returns
    -------
    A subclass of `PipelineTask`, or a plain class that can be called with a dict.

    Raises
    ------
    TaskInputError
        There is no such module or class, or it is no task; says which, and the nearest name.
    ModuleNotFoundError
        The module exists and something that it imports at its top does not.
    """
    module_name, _, name = path.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in path.split(".")):
        raise TaskInputError(
            f"{path!r} is no dotted path of a class",
            hint="write package.module.Class, such as cyto.segmentation.cellpose.CellPose",
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise TaskInputError(
                f"there is no module {error.name!r} (asked for by {path!r})",
                hint=_nearby(error.name),
            ) from error
        raise
    cls = getattr(module, name, None)
    if cls is None:
        public = [n for n, v in vars(module).items() if is_task(v) and v is not PipelineTask]
        raise TaskInputError(
            f"module {module_name!r} has no class {name!r}", hint=nearest(name, public, what="task")
        )
    if not is_task(cls):
        raise TaskInputError(
            f"{path!r} is no task",
            hint="a task is a subclass of cyto.task.PipelineTask, or a class whose objects are "
            "called with a dict and return a dict",
        )
    return cls  # type: ignore[no-any-return]


def is_task(thing: Any) -> bool:
    """Tell whether *thing* is a class whose objects can be called with one dict."""
    if not inspect.isclass(thing):
        return False
    if issubclass(thing, PipelineTask):
        return True
    call = vars(thing).get("__call__") or getattr(thing, "__call__", None)  # noqa: B004
    if not inspect.isfunction(call):
        return False
    needed = [
        p
        for p in list(inspect.signature(call).parameters.values())[1:]
        if p.default is p.empty and p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
    ]
    return len(needed) == 1


def build_task(cls: type, params: Mapping[str, JSON]) -> Any:
    """Make a task with *params*, checked.

    A plain class is asked by its constructor's signature which parameters it knows.

    Raises
    ------
    ParameterError
        A parameter is unknown, missing or wrong.
    """
    if issubclass(cls, PipelineTask):
        return cls(**dict[str, Any](params))
    check_plain(cls, params)
    return cls(**params)


def check_plain(cls: type, params: Mapping[str, JSON]) -> None:
    """Check *params* against the constructor's signature of a plain class."""
    try:
        signature = inspect.signature(cls)
    except (TypeError, ValueError):
        return
    names = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for name in params:
        if name not in names and not open_ended:
            raise ParameterError(
                f"unknown parameter {name!r}",
                task=cls.__name__,
                parameter=name,
                hint=nearest(name, names, what="parameter"),
            )
    for p in signature.parameters.values():
        variadic = p.kind in {p.VAR_KEYWORD, p.VAR_POSITIONAL}
        if p.default is p.empty and not variadic and p.name not in params:
            raise ParameterError(
                f"parameter {p.name!r} must be given", task=cls.__name__, parameter=p.name
            )


def call_here(task: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Run a task of either kind in this process."""
    if isinstance(task, PipelineTask):
        return run_checked(task, data)
    result = task(data)
    if not isinstance(result, Mapping):
        check_outputs(result, {}, type(task).__name__)
    return dict(result)


def _nearby(module: str) -> str:
    """Name what a missing module may have been meant to be."""
    parent, _, name = module.rpartition(".")
    if not parent:
        return "its folder must be the pipeline file's, or the package must be installed"
    package = importlib.import_module(parent)
    folders = list(getattr(package, "__path__", []))
    found = {
        entry.name.removesuffix(".py")
        for folder in folders
        for entry in os.scandir(folder)
        if not entry.name.startswith("_") and (entry.is_dir() or entry.name.endswith(".py"))
    }
    return nearest(name, found, what="module")
