"""YAML text to plain data, with the place of every key and value.

It is PyYAML's safe loader with the traps of YAML 1.1 that bite here taken out:

- ``01:30:00`` is text (YAML 1.1 reads a number in base 60), and so are dates;
- ``010`` is text (YAML 1.1 reads 8), ``1e-3`` is a number (YAML 1.1 reads text);
- a key is the text that was written, so that ``on:`` is not ``True:``;
- a key written twice is an error (PyYAML takes the last without a word).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from cyto.config.marks import KeyPath, Mark, dotted
from cyto.config.yaml_rules import TAG, Loader, scalar
from cyto.config.yaml_words import explain
from cyto.errors import ConfigError, Problem

if TYPE_CHECKING:
    from cyto._typing import JSON

MAX_DEPTH = 100
MAX_REPEATS = 100_000

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_yaml(text: str, file: str) -> tuple[JSON, dict[KeyPath, Mark]]:
    """Read one YAML document.

    Parameters
    ----------
    text
        The whole text.
    file
        Named in messages.

    Returns
    -------
    data, marks
        Dicts with text keys, lists and scalars; and the place of each by its path, ``()``
        being the whole. Merge keys (``<<``) and aliases are resolved, and what they bring is
        marked where it was written.

    Raises
    ------
    ConfigError
        The text is not YAML, holds several documents, a key twice, a tag other than YAML's plain
        ones, an alias inside of what it names, or more than `MAX_DEPTH` levels or `MAX_REPEATS`
        repetitions by aliases.
    """
    _refuse_unprintable(text, file)
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ConfigError([explain(error, text, file)]) from error
    except RecursionError as error:
        raise ConfigError([Problem(f"more than {MAX_DEPTH} levels deep", file=file)]) from error
    builder = _Builder(file)
    data = None if node is None else builder.build(node, (), _place(node))
    if builder.problems:
        raise ConfigError(builder.problems)
    return data, builder.marks


def _refuse_unprintable(text: str, file: str) -> None:
    found = _UNPRINTABLE.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        raise ConfigError(
            [Problem(f"not YAML: holds the character {found[0]!r}", "", file, line, column)]
        )


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Builder:
    """Turns PyYAML's nodes into data and marks."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.marks: dict[KeyPath, Mark] = {}
        self.problems: list[Problem] = []
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._repeats = 0

    def build(self, node: yaml.Node, path: KeyPath, key: tuple[int, int]) -> JSON:
        here = _place(node)
        block = here[0] != key[0] and not isinstance(node, yaml.ScalarNode)
        self.marks[path] = Mark(key, key if block else here)
        self._guard(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode) and node.tag == TAG + "seq":
                return [self.build(n, (*path, i), _place(n)) for i, n in enumerate(node.value)]
            if isinstance(node, yaml.MappingNode) and node.tag == TAG + "map":
                pairs = self._pairs(node, path)
                return {k: self.build(v, (*path, k), place) for k, (place, v) in pairs.items()}
        finally:
            self._open.discard(id(node))
        raise self._stop(node, path, f"the tag {_short(node.tag)} is not understood", _PLAIN)

    def _guard(self, node: yaml.Node, path: KeyPath) -> None:
        if id(node) in self._open:
            raise self._stop(node, path, "an alias stands inside of what it names")
        if len(path) > MAX_DEPTH:
            raise self._stop(node, path[:3], f"more than {MAX_DEPTH} levels deep")
        self._repeats += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeats > MAX_REPEATS:
            raise self._stop(node, path[:3], f"aliases repeat more than {MAX_REPEATS} values")

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> JSON:
        text, kind = str(node.value), node.tag.removeprefix(TAG)
        try:
            return scalar(text, kind)
        except ValueError as error:
            raise self._stop(node, path, f"{text[:40]!r} is no {kind}") from error
        except LookupError as error:
            message = f"the tag {_short(node.tag)} is not understood"
            raise self._stop(node, path, message, _PLAIN) from error

    def _pairs(
        self, node: yaml.MappingNode, path: KeyPath
    ) -> dict[str, tuple[tuple[int, int], yaml.Node]]:
        own: dict[str, tuple[tuple[int, int], yaml.Node]] = {}
        merged: dict[str, tuple[tuple[int, int], yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._stop(key, path, "a key must be text, not a list or a mapping")
            name = str(key.value)
            if key.tag == TAG + "merge":
                merged = {**self._merge(value, path), **merged}
            elif name in own:
                first = own[name][0][0]
                self._note(key, (*path, name), f"written twice, first in line {first}")
            else:
                own[name] = (_place(key), value)
        return {**merged, **own}

    def _merge(
        self, node: yaml.Node, path: KeyPath
    ) -> dict[str, tuple[tuple[int, int], yaml.Node]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found: dict[str, tuple[tuple[int, int], yaml.Node]] = {}
        for each in reversed(nodes):
            if not isinstance(each, yaml.MappingNode):
                raise self._stop(each, (*path, "<<"), "only a mapping can be merged")
            self._guard(each, path)
            self._open.add(id(each))
            found.update(self._pairs(each, path))
            self._open.discard(id(each))
        return found

    def _note(self, node: yaml.Node, path: KeyPath, message: str, hint: str = "") -> None:
        line, column = _place(node)
        self.problems.append(Problem(message, hint, self.file, line, column, dotted(path)))

    def _stop(self, node: yaml.Node, path: KeyPath, message: str, hint: str = "") -> ConfigError:
        self._note(node, path, message, hint)
        return ConfigError(self.problems)


_PLAIN = "a file holds plain YAML: text, numbers, lists and mappings"


def _short(tag: str) -> str:
    return tag.replace(TAG, "!!")
