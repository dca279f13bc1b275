"""What a task takes and gives: declared keys, and the checks on the values behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from cyto._typing import Kind, TaskData
from cyto.errors import TaskInputError, TaskOutputError
from cyto.runners.exchange import as_travelled

CARRIED_KEYS = ("pixel_size_um", "frame_interval_s", "channel")
"""Keys that travel with the data from channel to last result, beside the declared ones."""

CONTEXT_KEYS = (*CARRIED_KEYS, "frame_offset")
"""Those, and the number of the first frame where a task is given a part of a movie."""


_ARRAYS = frozenset({"image", "label"})


@dataclass(frozen=True)
class Port:
    """One key of a task's input or output.

    Parameters
    ----------
    kind
        ``image`` (T, Y, X), ``label`` (T, Y, X) unsigned, ``dataframe``, ``network``, ``value``
        (what JSON holds) or ``file`` (a path).
    help
        One line for people.
    optional
        Input: the task works without it. Output: the task may leave it out.
    columns
        Columns that an input table must have, or that an output table will have.
    """

    kind: Kind
    help: str = ""
    optional: bool = False
    columns: tuple[str, ...] = ()


def require(data: TaskData, key: str, port: Port, task: str) -> Any:
    """Give ``data[key]`` in the form that *port* promises.

    A single 2-D frame becomes (1, Y, X).

    Raises
    ------
    TaskInputError
        The key is missing, or its value is of another kind, rank or dtype; shows what was
        received.
    """
    if key not in data or data[key] is None:
        if port.optional:
            return None
        raise TaskInputError(
            f"is missing; received {_keys(data)}", task=task, key=key, hint=port.help
        )
    value = data[key]
    fault = _fault(value, port)
    if fault:
        raise TaskInputError(fault, task=task, key=key, hint=port.help)
    if port.kind in {"image", "label"}:
        return value[None] if value.ndim == 2 else value
    return value


def require_pixel_size(data: TaskData, task: str, because: str) -> float:
    """Give the pixel size in µm, or say why it is needed and where to write it."""
    size = data.get("pixel_size_um")
    if size is None:
        raise TaskInputError(
            f"the pixel size is not known, and {because} needs it",
            task=task,
            key="pixel_size_um",
            hint="write pixel_size_um beside the channel's path in the pipeline file",
        )
    return float(size)


def refuse_samples(table: Any, task: str, key: str) -> None:
    """Refuse a table that was collected of several samples, for a task that looks at one movie.

    Raises
    ------
    TaskInputError
        Its column ``sample`` has several values; frames and ids are those of other movies then.
    """
    if "sample" in table and table["sample"].nunique(dropna=False) > 1:
        raise TaskInputError(
            "holds several samples (column 'sample'), whose frames and ids belong to other movies",
            task=task,
            key=key,
            hint="run this node once per sample, without collect, and collect what it makes; where "
            "columns are named to match rows, name 'sample' too",
        )


def check_calibration(data: TaskData, task: str) -> None:
    """Check what travels with the data: sizes and times are above 0.

    Raises
    ------
    TaskInputError
        One is not; shows it.
    """
    for key, unit in (("pixel_size_um", "µm"), ("frame_interval_s", "s")):
        value = data.get(key)
        if value is None:
            continue
        number = value if isinstance(value, (int, float)) or hasattr(value, "dtype") else math.nan
        if not 0 < number < math.inf:
            raise TaskInputError(
                f"must be a number of {unit} above 0, received {value!r}",
                task=task,
                key=key,
                hint="leave it out where it is not known",
            )


def check_outputs(
    result: Any, outputs: Mapping[str, Port], task: str, more: Optional[Port] = None
) -> Mapping[str, Any]:
    """Check what a task returned against what it declares; *more* is for any other key.

    Raises
    ------
    TaskOutputError
        Not a mapping; an undeclared key; a declared one missing; a wrong kind, rank or dtype.
    """
    if not isinstance(result, Mapping):
        raise TaskOutputError(
            f"returned {type(result).__name__}, a task returns a dict of its outputs "
            f"({_keys(outputs)})",
            task=task,
        )
    for key, value in result.items():
        if key in CONTEXT_KEYS:
            continue
        port = outputs.get(key, more)
        if port is None:
            raise TaskOutputError(
                f"is not declared ({_describe(value)}); declared: {_keys(outputs)}",
                task=task,
                key=key,
                hint="add it to the task's outputs, or do not return it",
            )
        fault = _fault(value, port)
        if fault:
            raise TaskOutputError(fault, task=task, key=key, hint=port.help)
    for key, declared in outputs.items():
        if key not in result and not declared.optional:
            raise TaskOutputError(
                f"is declared and was not returned; returned: {_keys(result)}", task=task, key=key
            )
    return {
        key: value if key in CONTEXT_KEYS else as_travelled(value, _kind(outputs.get(key, more)))
        for key, value in result.items()
    }


def check_frames(
    data: TaskData,
    inputs: Mapping[str, Port],
    result: Mapping[str, Any],
    outputs: Mapping[str, Port],
    task: str,
) -> None:
    """Check that a framewise task gave as many frames as it got.

    Raises
    ------
    TaskOutputError
        It did not; shows both shapes.
    """
    given = [data[key] for key, port in inputs.items() if port.kind in _ARRAYS and key in data]
    for key, port in outputs.items():
        value = result.get(key)
        if not given or value is None or port.kind not in _ARRAYS:
            continue
        if len(value) != len(given[0]):
            raise TaskOutputError(
                f"has {len(value)} frames where the input has {len(given[0])} "
                f"(shapes {tuple(value.shape)} and {tuple(given[0].shape)})",
                task=task,
                key=key,
                hint="a framewise task gives one frame for each frame, as (T, Y, X)",
            )


def _kind(port: Optional[Port]) -> str:
    return "value" if port is None else port.kind


def _fault(value: Any, port: Port) -> str:
    """Say what is wrong with *value*, or nothing."""
    if port.kind in {"image", "label"}:
        return _array_fault(value, port.kind)
    if port.kind == "dataframe":
        if not hasattr(value, "columns") or not hasattr(value, "iloc"):
            return f"must be a pandas table, received {_describe(value)}"
        lacking = [name for name in port.columns if name not in set(value.columns)]
        if lacking:
            return (
                f"has no column {', '.join(map(repr, lacking))}; "
                f"columns: {', '.join(map(str, value.columns))}"
            )
    if port.kind == "network" and not (hasattr(value, "nodes") and hasattr(value, "edges")):
        return f"must be a NetworkX graph, received {_describe(value)}"
    return ""


def _array_fault(value: Any, kind: str) -> str:
    if not hasattr(value, "dtype") or not hasattr(value, "ndim"):
        return f"must be an array (T, Y, X), received {_describe(value)}"
    if value.ndim not in {2, 3}:
        return f"must have the axes (T, Y, X), received {_describe(value)}"
    if kind == "label" and value.dtype.kind not in "ub":
        if value.dtype.kind == "i":
            return (
                ""
                if value.size == 0 or int(value.min()) >= 0
                else (f"must hold labels ≥ 0, received {_describe(value)} with negative values")
            )
        return f"must be an unsigned integer label image, received {_describe(value)}"
    if kind == "image" and value.dtype.kind not in "uifb":
        return f"must be numbers, received {_describe(value)}"
    return ""


def _describe(value: Any) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"an array of shape {tuple(value.shape)} and dtype {value.dtype}"
    return f"a value of type {type(value).__name__}"


def _keys(data: Mapping[str, Any]) -> str:
    return ", ".join(map(str, data)) or "nothing"
