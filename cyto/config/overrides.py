"""What ``--set KEY=VALUE`` changes in a pipeline."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cyto.config.marks import KeyPath, dotted
from cyto.config.paths import expanded
from cyto.config.pipeline_model import SHAPES
from cyto.config.placeholders import escaped
from cyto.config.translation import keys_of, received, shape_at, unknown_key
from cyto.config.yaml_reader import read_yaml
from cyto.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cyto._typing import JSON
    from cyto.config.source import Source


def overridden(source: Source, overrides: Iterable[str]) -> Source:
    """Give *source* with each ``tasks.X.params.Y=Z`` applied, in their order.

    A value is read as YAML, and stays text for paths. Relative paths given here
    (``output_dir``, ``channels.X``, ``channels.X.path``) are relative to the current folder,
    as everything on a command line, while those in the file are relative to the file.

    Raises
    ------
    ConfigError
        With every override that has no ``=``, addresses nothing, or holds no YAML.
    """
    problems: list[Problem] = []
    for text in overrides:
        try:
            source = _apply(source, text)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return source


def anchored(text: str, template: bool = False) -> str:
    """Give an override that means the same in any working folder: its path is absolute.

    Parameters
    ----------
    text
        ``KEY=VALUE``, which has been taken before.
    template
        Whether channels hold placeholders, as those of a pipeline with samples do.
    """
    key, _, raw = text.partition("=")
    path = tuple(key.strip().split("."))
    if path[0] not in {"output_dir", "samples", "channels"}:
        return text
    value = _value(path, raw, "--set", template)
    if isinstance(value, str) and (path[0] != "channels" or path[2:] in {(), ("path",)}):
        return f"{key}={value}"
    return f"{key}={json.dumps(value)}" if isinstance(value, dict) else text


def _apply(source: Source, text: str) -> Source:
    key, equals, raw = text.partition("=")
    origin = f"--set {text}" if len(text) <= 80 else f"--set {text[:79]}…"
    if not equals or not key.strip():
        hint = "write KEY=VALUE, such as tasks.NODE.params.diameter=30"
        raise ConfigError([Problem("no KEY=VALUE", hint, file=origin)])
    path = tuple(key.strip().split("."))
    source = _opened(source, path)
    where = _addressed(source, path, origin)
    template = path[0] == "channels" and source.data.get("samples") is not None
    return source.replaced(where, _value(where, raw, origin, template), origin)


def _opened(source: Source, path: tuple[str, ...]) -> Source:
    """Make a channel that is written as a path alone a mapping, so that it can take keys."""
    channels = source.data.get("channels")
    if path[0] != "channels" or len(path) < 3 or not isinstance(channels, dict):
        return source
    old = channels.get(path[1])
    if not isinstance(old, str):
        return source
    mark, inner = source.mark(path[:2]), (path[0], path[1], "path")
    changed: dict[str, JSON] = {**channels, path[1]: {"path": old}}
    marks = dict(source.marks)
    if mark is not None:
        marks[inner] = mark
    return replace(source, data={**source.data, "channels": changed}, marks=marks)


def _addressed(source: Source, path: tuple[str, ...], origin: str) -> KeyPath:
    """Follow *path* into the data; list positions become numbers."""
    here: JSON = source.data
    found: KeyPath = ()
    for part in path:
        step = _step(here, found, part, origin)
        here = _child(here, step)
        found = (*found, step)
    return found


def _child(here: JSON, step: str | int) -> JSON:
    if isinstance(here, dict):
        return here.get(str(step))
    if isinstance(here, list) and isinstance(step, int):
        return here[step]
    return None


def _step(here: JSON, found: KeyPath, part: str, origin: str) -> str | int:
    at = f"{dotted(found)} " if found else ""
    model = shape_at(found, SHAPES)
    if isinstance(here, list):
        if part.isdecimal() and int(part) < len(here):
            return int(part)
        raise _fault(f"{at}has items 0 to {len(here) - 1}, no {part!r}", "", found, part, origin)
    if model is not None and part not in keys_of(model):
        hint = unknown_key(part, keys_of(model))
        raise _fault(f"{at}has no key {part!r}".lstrip(), hint, found, part, origin)
    if found in {("channels",), ("tasks",)}:
        names = list(here) if isinstance(here, dict) else []
        if part not in names:
            what = str(found[0])[:-1]
            hint = nearest(part, names, what=what)
            raise _fault(f"there is no {what} {part!r}", hint, found, part, origin)
    if here is not None and not isinstance(here, dict):
        raise _fault(f"{at}is {received(here)} and has no keys", "", found, part, origin)
    return part


def _fault(message: str, hint: str, found: KeyPath, part: str, origin: str) -> ConfigError:
    return ConfigError([Problem(message, hint, file=origin, path=dotted((*found, part)))])


def _value(path: KeyPath, raw: str, origin: str, template: bool) -> JSON:
    if path == ("output_dir",) or (path == ("samples",) and not raw.lstrip().startswith("[")):
        return _from_here(raw)
    if path[0] == "channels" and path[2:] == ("path",):
        return _from_here(raw, template)
    if path[0] == "channels" and len(path) == 2 and not _is_mapping(raw):
        return _from_here(raw, template)
    try:
        value, _ = read_yaml(raw, origin)
    except ConfigError as error:
        raise ConfigError(
            [replace(p, line=None, column=None, path=dotted(path)) for p in error.problems]
        ) from error
    if path[0] == "channels" and len(path) == 2 and isinstance(value, dict):
        given = value.get("path")
        return {**value, "path": _from_here(given, template)} if isinstance(given, str) else value
    return value


def _is_mapping(raw: str) -> bool:
    """Tell ``{path: a.tif}`` from a path, which may begin with a placeholder."""
    return raw.lstrip().startswith("{") and not re.match(r"\s*\{[^{}:]*\}.", raw)


def _from_here(path: str, template: bool = False) -> str:
    """Make a path absolute; in a *template* the folder's own braces are no placeholders."""
    given = expanded(path)
    if not path or given.is_absolute():
        return str(given) if path else path
    here = str(Path.cwd())
    return os.path.join(escaped(here) if template else here, given)  # noqa: PTH118 - keeps text
