"""From pydantic's errors to `cyto.errors.Problem`: place, path, plain words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cyto.config.fields import LABELS, WrongValueError
from cyto.config.marks import KeyPath
from cyto.config.source import Source
from cyto.errors import ConfigError, Problem, nearest

M = TypeVar("M", bound=BaseModel)
Shapes = Mapping[tuple[str, ...], type[BaseModel]]
Hint = Callable[[KeyPath], str]
Check = Callable[[Source], list[Problem]]

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping ('key: value' pairs)",
    "model_type": "a mapping ('key: value' pairs)",
    "finite_number": "a finite number",
    "int_parsing_size": "a smaller number",
    "string_unicode": "text in UTF-8",
}
_BOUND = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
}
_PATTERNS = {
    "module": "the dotted path of a class, such as cyto.segmentation.cellpose.CellPose",
    "axes": "letters for the dimensions, such as TCYX",
    "target": "an absolute path in the container",
}
_ITEMS = {
    "frames": "[start, stop] or [start, stop, step]",
    "y": "[first row, row after the last]",
    "x": "[first column, column after the last]",
}


def validated(
    model: type[M],
    source: Source,
    shapes: Shapes,
    *,
    checks: Sequence[Check] = (),
    hint: Hint = lambda _path: "",
) -> M:
    """Check *source* against *model* and *checks*, and give the model.

    Parameters
    ----------
    shapes
        Which model stands at which path, for the nearest valid key.
    checks
        Look at the plain data for what no single value shows; each must bear wrong types.
    hint
        More advice about an unknown key.

    Raises
    ------
    ConfigError
        With all that is wrong, in the order of the file.
    """
    problems: list[Problem] = []
    value: M | None = None
    try:
        value = model.model_validate(source.data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        where = [each["loc"] for each in errors]
        problems += [
            _translate(dict(each), source, shapes, hint)
            for each in errors
            if not _follows(each, where)
        ]
    for check in checks:
        problems.extend(check(source))
    if problems or value is None:
        raise ConfigError(source.ordered(problems))
    return value


def keys_of(model: type[BaseModel]) -> list[str]:
    """List the keys of a mapping as people write them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def shape_at(path: KeyPath, shapes: Shapes) -> type[BaseModel] | None:
    """Find the model that stands at *path*."""
    for pattern, model in shapes.items():
        if len(pattern) == len(path) and all(
            p in {"*", str(part)} for p, part in zip(pattern, path, strict=True)
        ):
            return model
    return None


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Advise on an unknown key: the nearest, and all there are."""
    near = nearest(key, known, what="key")
    if near.startswith("known"):
        return near
    return f"{near} known keys: {', '.join(known)}"


def received(value: object) -> str:
    """Name a value for a message, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _follows(error: Mapping[str, Any], where: Sequence[KeyPath]) -> bool:
    """Tell whether a list seems too short only because items in it are wrong."""
    place = error["loc"]
    inside = any(len(loc) > len(place) and loc[: len(place)] == place for loc in where)
    return error["type"] == "too_short" and inside


def _translate(error: dict[str, Any], source: Source, shapes: Shapes, hint: Hint) -> Problem:
    kind, where = str(error["type"]), error["loc"]
    path: KeyPath = tuple(part for part in where if part not in LABELS)
    if path[-1:] == ("[key]",):
        wrong = _wrong(error, path[:-1])
        return source.problem(path[:-1], *wrong, key=True)
    if kind == "extra_forbidden":
        path = (*(part for part in where[:-1] if part not in LABELS), where[-1])
        model = shape_at(path[:-1], shapes)
        advice = hint(path) or (unknown_key(str(path[-1]), keys_of(model)) if model else "")
        return source.problem(path, f"unknown key {path[-1]!r}", advice, key=True)
    if kind == "missing":
        return source.problem(path[:-1], f"the key {path[-1]!r} is missing", key=True)
    return source.problem(path, *_wrong(error, path))


def _wrong(error: dict[str, Any], path: KeyPath) -> tuple[str, str]:
    """Say what is wrong with a value, and what to do."""
    kind, value, context = str(error["type"]), error["input"], error.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, WrongValueError):
        tail = f", received {received(value)}" if cause.message.startswith("expected") else ""
        return cause.message + tail, cause.hint
    if cause is not None:
        return str(cause), ""
    if kind == "string_pattern_mismatch":
        expected = _PATTERNS.get(str(path[-1]), "other text")
    elif kind == "wrong_kind":
        expected = str(error["msg"]).removeprefix("expected ")
    elif kind == "literal_error":
        expected = str(context["expected"])
        near = nearest(str(value), expected.replace("'", "").replace(" or ", ", ").split(", "))
        return f"expected {expected}, received {received(value)}", _only_near(near)
    elif kind in {"too_short", "too_long"}:
        expected = _ITEMS.get(str(path[-1])) or _length(kind, context)
    elif kind == "string_too_short":
        expected = "text that is not empty"
    elif kind in _BOUND:
        expected = _BOUND[kind].format(**context)
    else:
        expected = _EXPECTED.get(kind, "another value")
    return f"expected {expected}, received {received(value)}", ""


def _only_near(text: str) -> str:
    return text if text.startswith("did you mean") else ""


def _length(kind: str, context: Mapping[str, Any]) -> str:
    count = context["min_length" if kind == "too_short" else "max_length"]
    bound = "at least" if kind == "too_short" else "at most"
    what = "entry" if count == 1 else "entries"
    return f"{bound} {count} {what}"
