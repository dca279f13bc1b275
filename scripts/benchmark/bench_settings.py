"""Settings of run_benchmark.py: the defaults, the user's file over them, and what may be wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cyto.errors import ConfigError, Problem, nearest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    try:
        import tomli as tomllib  # type: ignore[no-redef]
    except ModuleNotFoundError:
        raise SystemExit("error: to read TOML takes Python 3.11, or: pip install tomli") from None

HERE = Path(__file__).resolve().parent
DEFAULTS, USERS = HERE / "benchmark.def.toml", HERE / "benchmark.user.toml"
STAGES = (
    "preprocessing", "segmentation", "features", "tracking", "contacts", "postprocessing", "assay",
)  # fmt: skip
Settings = dict[str, dict[str, Any]]
"""By section, then key; ``quick`` has been put over the rest, or left out."""

_CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("run", "launcher"): ("local", "slurm"),
    ("segmentation", "method"): ("watershed", "cellpose"),
    ("run", "stages"): STAGES,
}
_LEAST = {("movies", "seed"): 0, ("containers", "gpus"): 0, ("movies", "tcells"): 0}
"""Whole numbers must be at least 1, but these."""
_KINDS = {str: "text", int: "a whole number", list: "a list", dict: "a section", float: "a number"}


def read_settings(user: Path | None = None, *, quick: bool = False) -> Settings:
    """Read the defaults and the user's file.

    Parameters
    ----------
    user
        The user's file; ``None`` takes ``benchmark.user.toml`` beside the defaults, if there.
    quick
        Put the sections under ``quick`` over the others.

    Raises
    ------
    ConfigError
        A file cannot be read, or says something unknown; all that is wrong, with line and hint.
    """
    known = _read(DEFAULTS)
    settings: dict[str, Any] = {name: dict(keys) for name, keys in known.items()}
    path = user or (USERS if USERS.exists() else None)
    if path is not None:
        given = _read(path)
        problems = list(_problems(given, known, _Place(path)))
        if problems:
            raise ConfigError(problems)
        _put_over(settings, given)
    small = settings.pop("quick")
    if quick:
        _put_over(settings, small)
    return settings


class _Place:
    """Find the line of a key in a file, for messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = path.read_text(encoding="utf-8").splitlines()

    def problem(self, where: tuple[str, ...], message: str, hint: str = "") -> Problem:
        return Problem(
            message, hint, file=str(self.path), line=self._line(where), path=".".join(where)
        )

    def _line(self, where: tuple[str, ...]) -> int | None:
        """Look for the section, then the key below it; inline tables have no line."""
        section, wanted = "", ".".join(where)
        for number, line in enumerate(self._lines, start=1):
            if head := re.match(r"\s*\[([^\]]+)\]", line):
                section = head[1].strip()
                name = section
            elif key := re.match(r"\s*([\w.-]+)\s*=", line):
                name = f"{section}.{key[1]}".strip(".")
            else:
                continue
            if name == wanted:
                return number
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "copy the lines to change from benchmark.def.toml"
        raise ConfigError(
            [Problem(f"cannot be read: {error.strerror}", hint, str(path))]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(f"is no TOML: {error}", file=str(path))]) from error


def _put_over(settings: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if isinstance(value, dict):
            _put_over(settings.setdefault(name, {}), value)
        else:
            settings[name] = value


def _problems(
    given: Mapping[str, Any], known: Mapping[str, Any], at: _Place, where: tuple[str, ...] = ()
) -> Iterator[Problem]:
    """Compare with the defaults: same names, same kinds, values that make sense."""
    for name, value in given.items():
        path = (*where, name)
        # any section may stand under quick, whether or not the defaults have it there
        section = known.get(name) if where != ("quick",) else _sections().get(name)
        if section is None:
            choices = known if where != ("quick",) else _sections()
            kind = "key" if where and not isinstance(value, dict) else "section"
            yield at.problem(path, f"unknown {kind} {name!r}", nearest(name, choices, what=kind))
        elif type(value) is not type(section):
            wanted = _KINDS[type(section)]
            yield at.problem(path, f"expected {wanted}, not {value!r}")
        elif isinstance(value, dict):
            yield from _problems(value, section, at, path)
        else:
            yield from _faults(path[-2:], value, lambda m, h="", p=path: at.problem(p, m, h))


def _sections() -> dict[str, Any]:
    return {name: keys for name, keys in _read(DEFAULTS).items() if name != "quick"}


def _faults(key: tuple[str, ...], value: Any, problem: Callable[..., Problem]) -> Iterator[Problem]:
    section, name = key
    choices = _CHOICES.get((section, name))
    for word in value if isinstance(value, list) else [value]:
        if choices and word not in choices:
            yield problem(f"unknown value {word!r}", nearest(str(word), choices))
        elif isinstance(word, int) and word < _LEAST.get((section, name), 1):
            yield problem(f"must be at least {_LEAST.get((section, name), 1)}, not {word}")
    if key == ("run", "workers"):
        yield from _workers(value, problem)


def _workers(value: list[Any], problem: Callable[..., Problem]) -> Iterator[Problem]:
    if not value or any(type(number) is not int for number in value):
        yield problem(f"expected whole numbers such as [1, 2, 4], not {value!r}")
    elif value != sorted(set(value)):
        yield problem(f"must grow, not {value!r}", "times are compared with those of the first")
