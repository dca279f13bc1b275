"""The base class of all tasks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Optional

from cyto._typing import JSON, TaskData
from cyto.core.movie import Frames
from cyto.task.parameters import Param, Parameter, check_all, declared
from cyto.task.ports import (
    CONTEXT_KEYS,
    Port,
    check_calibration,
    check_frames,
    check_outputs,
    require,
)

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[type], type]:
        """Stand in for what only type checkers read."""
        return lambda cls: cls


@dataclass_transform(kw_only_default=True, field_specifiers=(Param,))
class PipelineTask:
    """A step of an analysis: parameters when made, ``dict → dict`` when called.

    Subclasses declare parameters with `Param`, ``inputs`` and ``outputs`` with `Port`, and
    implement `run_baremetal`. A task holds no state, and knows nothing of schedulers, files or
    containers; tools with heavy imports are imported inside `run_baremetal`.

    Parameters
    ----------
    execution_config
        Where a call runs: ``None`` in the caller's own process, else what a profile says of a
        node, such as ``{"type": "container", "runner": "docker", "image": "cellpose:latest"}``.
    **params
        The declared parameters; checked at once, without the task's tool.

    Raises
    ------
    ParameterError
        A parameter is unknown, missing, of the wrong type or out of range.
    ConfigError
        The execution config is wrong.
    """

    inputs: ClassVar[Mapping[str, Port]] = {}
    """What it takes, by key."""
    more_inputs: ClassVar[Optional[Port]] = None
    """Of what kind any further, freely named inputs are; ``None`` takes none."""
    outputs: ClassVar[Mapping[str, Port]] = {}
    """What it gives, by key."""
    more_outputs: ClassVar[Optional[Port]] = None
    """Of what kind outputs under the names of its further inputs are; ``None`` gives none."""
    libraries: ClassVar[Sequence[str]] = ()
    """Modules that it imports when it runs; looked for before anything runs."""
    framewise: ClassVar[bool] = False
    """Whether each frame's result depends on that frame alone."""
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    """The declared parameters, by name; filled in for each subclass."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.parameters = declared(cls)
        cls.__signature__ = _signature(cls.parameters)  # type: ignore[attr-defined]

    def __init__(
        self, *, execution_config: Optional[Mapping[str, Any]] = None, **params: Any
    ) -> None:
        self.execution_config = execution_config
        if execution_config is not None:
            from cyto.config import placement_from_execution_config

            placement_from_execution_config(execution_config)  # a mistake shows at once
        for name, value in check_all(self.parameters, params, type(self).__name__).items():
            setattr(self, name, value)
        self._given = dict(params)
        self.validate()

    def validate(self) -> None:
        """Check rules between parameters; raise `ParameterError` where one is broken."""

    @property
    def params(self) -> dict[str, JSON]:
        """All parameters with their values, as JSON values."""
        return {name: _plain(getattr(self, name)) for name in self.parameters}

    def __call__(self, data: TaskData) -> dict[str, Any]:
        """Run on *data* where ``execution_config`` says.

        Parameters
        ----------
        data
            Values by input key; ``pixel_size_um``, ``frame_interval_s`` and ``channel`` may
            stand beside them.

        Returns
        -------
        Values by output key: the same wherever it ran.

        Raises
        ------
        TaskInputError, TaskOutputError
            Data that do not fit what the task declares.
        TaskFailedError
            It ran elsewhere and failed there.
        UnavailableError
            It cannot run there.
        """
        if self.execution_config is None:
            return {key: _whole(value) for key, value in run_checked(self, data).items()}
        from cyto.task.remote import run_elsewhere

        return run_elsewhere(self, data)

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Compute the outputs from *data* in this process; subclasses implement it.

        Images and labels arrive as (T, Y, X), perhaps mapped read-only from a file.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement run_baremetal")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{type(self).__name__}({shown})"

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(repr(value))}</td>"
            f"<td>{escape(self.parameters[name].unit)}</td>"
            f"<td>{escape(self.parameters[name].help)}</td></tr>"
            for name, value in self.params.items()
        )
        return (
            f"<b>{escape(type(self).__name__)}</b><table><thead><tr><th>parameter</th>"
            f"<th>value</th><th>unit</th><th>meaning</th></tr></thead><tbody>{rows}</tbody></table>"
        )


def run_checked(task: PipelineTask, data: TaskData) -> dict[str, Any]:
    """Run *task* in this process, its input and output checked against what it declares."""
    ready = checked_inputs(task, data)
    result = task.run_baremetal(ready)
    name = type(task).__name__
    checked = dict(check_outputs(result, task.outputs, name, task.more_outputs))
    if task.framewise:
        check_frames(ready, task.inputs, checked, task.outputs, name)
    return checked


def checked_inputs(task: PipelineTask, data: TaskData) -> dict[str, Any]:
    """Give *data* in the form that the task declares; what is optional and not there is left out.

    Raises
    ------
    TaskInputError
        Something does not fit; shows what was received.
    """
    name = type(task).__name__
    check_calibration(data, name)
    ready: dict[str, Any] = {}
    for key, port in task.inputs.items():
        value = require(data, key, port, name)
        if value is not None:
            ready[key] = value
    for key, value in data.items():
        if key in task.inputs:
            continue
        further = None if key in CONTEXT_KEYS else task.more_inputs
        ready[key] = value if further is None else require(data, key, further, name)
    return ready


def _signature(parameters: Mapping[str, Parameter]) -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    shown = [
        inspect.Parameter(
            name,
            kind,
            default=inspect.Parameter.empty if p.required else p.default,
            annotation=p.annotation,
        )
        for name, p in parameters.items()
    ]
    shown.append(inspect.Parameter("execution_config", kind, default=None))
    return inspect.Signature(shown)


def _whole(value: Any) -> Any:
    """Make an array of a movie that is made while it is read."""
    return value.__array__() if isinstance(value, Frames) else value


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
