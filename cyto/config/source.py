"""A file that the user wrote: its data, and where each of its parts is."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto.config.marks import KeyPath, Mark, dotted
from cyto.config.paths import expanded
from cyto.config.yaml_reader import read_yaml
from cyto.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import JSON

MAX_BYTES = 10_000_000


@dataclass(frozen=True)
class Source:
    """Plain data with the places of its parts.

    Parameters
    ----------
    file
        As the user named it; empty for data that no file holds.
    data
        What was read: dicts with text keys, lists, scalars.
    marks
        The place of each part, by its path.
    root
        Put before every path in messages, such as ``("execution_config",)``.
    base
        What relative paths are relative to, where it is not the file's folder: the file is a copy.
    """

    file: str
    data: dict[str, JSON]
    marks: Mapping[KeyPath, Mark] = field(default_factory=dict)
    root: KeyPath = ()
    base: Path | None = None

    @property
    def folder(self) -> Path:
        """What relative paths in the file are relative to, absolute."""
        if self.base is not None:
            return self.base
        return Path(self.file).absolute().parent if self.file else Path.cwd()

    def mark(self, path: KeyPath) -> Mark | None:
        """Give the place of *path*, else of its nearest parent that has one."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return None

    def locate(self, path: KeyPath, *, key: bool = False) -> tuple[int, int] | None:
        """Give line and column (from 1) of a value, or of its key.

        Falls back to the nearest parent; ``None`` for what stands in no file.
        """
        mark = self.mark(path)
        if mark is None or mark.origin:
            return None
        return mark.key if key or path not in self.marks else mark.value

    def place(self, path: KeyPath) -> str:
        """Name a key's place in short: ``file:line``, ``--set …`` or the file alone."""
        mark = self.mark(path)
        if mark is None or mark.origin:
            return mark.origin if mark else self.file
        return f"{self.file}:{mark.key[0]}"

    def problem(self, path: KeyPath, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """Make a `Problem` at *path*, at its key when *key*."""
        mark = self.mark(path)
        line, column = self.locate(path, key=key) or (None, None)
        file = mark.origin if mark and mark.origin else self.file
        return Problem(message, hint, file or None, line, column, dotted((*self.root, *path)))

    def replaced(self, path: KeyPath, value: JSON, origin: str) -> Source:
        """Give a source with another value at *path*, said to come from *origin*.

        Mappings on the way are made where there are none.
        """
        data: Any = copy.deepcopy(self.data)
        here = data
        for part in path[:-1]:
            if isinstance(here, dict) and here.get(part) is None:
                here[part] = {}
            here = here[part]
        here[path[-1]] = value
        size = len(path)
        marks = {p: m for p, m in self.marks.items() if p[:size] != path}
        return replace(self, data=data, marks={**marks, path: Mark(origin=origin)})

    def ordered(self, problems: list[Problem]) -> list[Problem]:
        """Sort problems as the file has them, each once, those of the command line last."""
        last = 10**9
        return sorted(
            dict.fromkeys(problems),
            key=lambda p: (p.file != self.file, p.line or last, p.column or last),
        )


def read_source(path: str | Path, what: str = "pipeline", base: Path | None = None) -> Source:
    """Read a YAML file.

    Parameters
    ----------
    path
        The file; ``~`` is the home folder.
    what
        What the file is, for messages.
    base
        As in `Source`.

    Raises
    ------
    ConfigError
        It is missing (named as resolved), a folder, not permitted, larger than 10 MB, not UTF-8,
        not YAML, empty, or no mapping.
    """
    where = expanded(path)
    file = str(where)
    data, marks = read_yaml(read_text(where, what), file)
    if data is None:
        raise ConfigError([Problem(f"the {what} file is empty", file=file, line=1, column=1)])
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else repr(data)[:60]
        line, column = marks[()].value
        message = f"expected keys and values ('key: value'), found {kind}"
        raise ConfigError([Problem(message, "", file, line, column)])
    return Source(file, data, marks, base=base)


def read_text(path: Path, what: str) -> str:
    """Read a text file in UTF-8; raises as `read_source` does."""

    def fail(message: str, hint: str = "") -> ConfigError:
        return ConfigError([Problem(message, hint, file=str(path))])

    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise fail(f"no such {what} file: {path.absolute()}", _alike(path)) from error
    except IsADirectoryError as error:
        raise fail(f"a folder, not a {what} file", "name the YAML file in it") from error
    except (OSError, ValueError) as error:
        raise fail(f"cannot read the {what} file: {getattr(error, 'strerror', error)}") from error
    if len(raw) > MAX_BYTES:
        raise fail(f"larger than {MAX_BYTES // 10**6} MB: this is no {what} file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8 text (byte {raw[error.start]:#04x} in line {line})"
        raise fail(message, "save the file with the encoding UTF-8") from error


def _alike(path: Path) -> str:
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    endings = {".yaml", ".yml"} if path.suffix != ".csv" else {".csv"}
    names = [p.name for p in folder.iterdir() if p.suffix in endings]
    what = "CSV file" if ".csv" in endings else "YAML file"
    return nearest(path.name, names, what=what) if names else ""
