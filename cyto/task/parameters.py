"""Parameters of tasks: declared once, checked anywhere, without the task's tool."""

from __future__ import annotations

import copy
import difflib
import math
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union, get_args, get_origin

from cyto._typing import JSON
from cyto.errors import ParameterError, nearest

_REQUIRED = object()
_UNIONS = {Union, getattr(types, "UnionType", Union)}  # the latter: X | Y, Python 3.10


@dataclass(frozen=True)
class Parameter:
    """One declared parameter of a task.

    Parameters
    ----------
    name, help, unit
        What people call it, what it does in one line, and its unit (empty when it has none).
    default
        The default, or a marker when the parameter must be given (see *required*).
    annotation
        Its type: bool, int, float, str, ``Literal``, ``Optional``, ``Union``, ``List``,
        ``Tuple``, ``Dict`` or ``Any``.
    ge, gt, le, lt
        Bounds for numbers.
    path
        The value, when it names something that exists, is a file or folder that the task reads:
        it is mounted read-only into containers and its content counts for the store's key.
    """

    default: Any = _REQUIRED
    help: str = ""
    unit: str = ""
    ge: Optional[float] = None
    gt: Optional[float] = None
    le: Optional[float] = None
    lt: Optional[float] = None
    path: bool = False
    name: str = ""
    annotation: Any = None

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is _REQUIRED

    @property
    def type_name(self) -> str:
        """The type in words: ``number``, ``'otsu' or 'li'``, ``list of whole number``."""
        return describe(self.annotation)

    def check(self, value: JSON, task: str) -> Any:
        """Give *value* as the declared type.

        A whole number is taken where a number is asked for, a list where a tuple is.

        Raises
        ------
        ParameterError
            Wrong type or out of range; says what was received, what is expected, in which unit.
        """
        try:
            checked = _convert(value, self.annotation)
        except ValueError as error:
            raise self._error(task, f"{error}, not {_show(value)}", value) from None
        for name, bound, holds in self._bounds():
            numbers = checked if isinstance(checked, (list, tuple)) else [checked]
            for number in numbers:
                if isinstance(number, (int, float)) and not holds(number, bound):
                    unit = f" {self.unit}" if self.unit else ""
                    raise self._error(
                        task, f"must be {name} {bound:g}{unit}, not {_show(value)}", value
                    )
        return checked

    def value_by_default(self, task: str) -> Any:
        """Give the default in the declared type; an object of its own for each task."""
        return None if self.default is None else copy.deepcopy(self.check(self.default, task))

    def _bounds(self) -> list[tuple[str, float, Any]]:
        rules = (
            ("at least", self.ge, lambda a, b: a >= b),
            ("more than", self.gt, lambda a, b: a > b),
            ("at most", self.le, lambda a, b: a <= b),
            ("less than", self.lt, lambda a, b: a < b),
        )
        return [(word, bound, holds) for word, bound, holds in rules if bound is not None]

    def _error(self, task: str, message: str, value: JSON) -> ParameterError:
        hint = self.help
        choices = [str(c) for c in _choices(self.annotation)]
        if isinstance(value, str) and choices and difflib.get_close_matches(value, choices, 1):
            hint = nearest(value, choices)
        return ParameterError(message, task=task, parameter=self.name, hint=hint)


def Param(  # noqa: N802 - reads as a declaration, as dataclass fields do
    default: Any = _REQUIRED,
    *,
    help: str = "",  # noqa: A002 - the word of argparse and click
    unit: str = "",
    ge: Optional[float] = None,
    gt: Optional[float] = None,
    le: Optional[float] = None,
    lt: Optional[float] = None,
    path: bool = False,
) -> Any:
    """Declare a parameter of a task; see `Parameter` for the meaning of each argument."""
    return Parameter(default, help, unit, ge, gt, le, lt, path)


def declared(cls: type) -> dict[str, Parameter]:
    """Collect the parameters that *cls* and its bases declare, in order of declaration."""
    found: dict[str, Parameter] = {}
    for base in reversed(cls.__mro__):
        annotations = vars(base).get("__annotations__", {})
        for name, value in list(vars(base).items()):
            if isinstance(value, Parameter):
                if name in annotations or name not in found:
                    kind = _evaluate(annotations.get(name, Any), base)
                else:
                    kind = found[name].annotation
                found[name] = Parameter(**{**vars(value), "name": name, "annotation": kind})
    return found


def check_all(
    parameters: Mapping[str, Parameter], given: Mapping[str, JSON], task: str
) -> dict[str, Any]:
    """Check *given* against the declared *parameters* and fill in the defaults.

    Raises
    ------
    ParameterError
        The first of `find_faults`.
    """
    values, faults = _checked(parameters, given, task)
    for fault in faults:
        raise fault
    return values


def find_faults(
    parameters: Mapping[str, Parameter], given: Mapping[str, JSON], task: str
) -> list[ParameterError]:
    """Find all that are unknown (with the nearest name), missing or wrong."""
    return _checked(parameters, given, task)[1]


def _checked(
    parameters: Mapping[str, Parameter], given: Mapping[str, JSON], task: str
) -> tuple[dict[str, Any], list[ParameterError]]:
    faults = [
        ParameterError(
            f"unknown parameter {name!r}",
            task=task,
            parameter=name,
            hint=nearest(name, parameters, what="parameter"),
        )
        for name in given
        if name not in parameters
    ]
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in given:
            try:
                values[name] = parameter.check(given[name], task)
            except ParameterError as error:
                faults.append(error)
        elif parameter.required:
            message = f"parameter {name!r} must be given ({parameter.type_name})"
            faults.append(ParameterError(message, task=task, parameter=name, hint=parameter.help))
        else:
            values[name] = parameter.value_by_default(task)
    return values, faults


def describe(kind: Any) -> str:
    """Say a type in words that a biologist reads."""
    if kind is Any or kind is None:
        return "any value"
    simple = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    if kind in simple:
        return simple[kind]
    if kind is type(None):
        return "null"
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(repr(arg) for arg in args)
    if origin in _UNIONS:
        return " or ".join(describe(arg) for arg in args)
    if origin is list:
        return f"list of {describe(args[0])}" if args else "list"
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return f"list of {describe(args[0])}"
        return f"list of {len(args)}: " + ", ".join(describe(arg) for arg in args)
    if kind in (list, tuple) or origin is Sequence:
        return "list"
    return "mapping"


def _evaluate(annotation: Any, owner: type) -> Any:
    if not isinstance(annotation, str):
        return annotation
    names = vars(sys.modules[owner.__module__])
    return typing.get_type_hints(
        type("_", (), {"__annotations__": {"x": annotation}}), {**vars(typing), **names}
    )["x"]


def _choices(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in _UNIONS:
        return tuple(choice for arg in get_args(kind) for choice in _choices(arg))
    return ()


def _convert(value: Any, kind: Any) -> Any:
    """Give *value* as *kind* or raise ValueError with 'expected …'."""
    if kind is Any or kind is None:
        return value
    origin = get_origin(kind) or kind
    converter = _CONVERTERS.get(origin)
    if converter is not None:
        return converter(value, kind)
    raise ValueError(f"unsupported declared type {kind!r}")


def _bool(value: Any, kind: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"expected {describe(kind)}")


def _int(value: Any, kind: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        if isinstance(value, float) and value.is_integer():
            return int(value)
        raise ValueError(f"expected {describe(kind)}")
    return int(value)


def _float(value: Any, kind: Any) -> float:
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise ValueError(f"expected {describe(kind)}")
    number = float(value)
    if math.isnan(number):
        raise ValueError(f"expected {describe(kind)}")
    return number


def _str(value: Any, kind: Any) -> str:
    if hasattr(value, "__fspath__"):
        value = value.__fspath__()
    if isinstance(value, str):
        return value
    raise ValueError(f"expected {describe(kind)}")


def _literal(value: Any, kind: Any) -> Any:
    for choice in get_args(kind):
        if type(choice) is type(value) and choice == value:
            return choice
    raise ValueError(f"expected {describe(kind)}")


def _union(value: Any, kind: Any) -> Any:
    if value is None and type(None) in get_args(kind):
        return None
    for arg in get_args(kind):
        try:
            return _convert(value, arg)
        except ValueError:
            continue
    raise ValueError(f"expected {describe(kind)}")


def _list(value: Any, kind: Any) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        raise ValueError(f"expected {describe(kind)}")
    args = get_args(kind)
    return [_convert(item, args[0]) if args else item for item in value]


def _tuple(value: Any, kind: Any) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        raise ValueError(f"expected {describe(kind)}")
    args = get_args(kind)
    if not args:
        return tuple(value)
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_convert(item, args[0]) for item in value)
    if len(value) != len(args):
        raise ValueError(f"expected {describe(kind)}")
    return tuple(_convert(item, arg) for item, arg in zip(value, args))


def _dict(value: Any, kind: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("expected a mapping")
    args = get_args(kind)
    if not args:
        return dict(value)
    return {_convert(k, args[0]): _convert(v, args[1]) for k, v in value.items()}


def _none(value: Any, kind: Any) -> None:  # noqa: ARG001 - as all converters
    if value is not None:
        raise ValueError("expected null")


_CONVERTERS: dict[Any, Any] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Literal: _literal,
    **dict.fromkeys(_UNIONS, _union),
    list: _list,
    tuple: _tuple,
    dict: _dict,
    type(None): _none,
}


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
