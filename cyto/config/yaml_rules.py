"""What plain text means in our YAML: PyYAML's safe loader without the traps of YAML 1.1."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    _Base = yaml.SafeLoader
else:
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

TAG = "tag:yaml.org,2002:"


_NUMBER = r"(?:0|[1-9][0-9_]*)"
_FLOATS = (
    rf"{_NUMBER}\.[0-9]*(?:[eE][-+]?[0-9]+)?",
    rf"{_NUMBER}[eE][-+]?[0-9]+",
    r"\.[0-9]+(?:[eE][-+]?[0-9]+)?",
    r"\.(?:inf|Inf|INF)",
    r"\.(?:nan|NaN|NAN)",
)
_WORDS = ("true", "false", "yes", "no", "on", "off")
_BOOLS = [form for word in _WORDS for form in (word, word.capitalize(), word.upper())]
_RULES = (
    ("null", r"~|null|Null|NULL|"),
    ("bool", "|".join(_BOOLS)),
    ("int", rf"[-+]?(?:{_NUMBER}|0x[0-9a-fA-F_]+)"),
    ("float", rf"[-+]?(?:{'|'.join(_FLOATS)})"),
    ("merge", r"<<"),
)
_PATTERNS = [(kind, re.compile(pattern)) for kind, pattern in _RULES]


@functools.lru_cache(maxsize=10_000)
def plain_kind(text: str) -> str:
    """Name the kind of text that is written without quotes and without a tag."""
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(text)), "str")


class Rules:
    """Mixed into a loader of PyYAML: says what a value without a tag is."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
        """Give the tag, as PyYAML's composers ask for it."""
        if kind is yaml.ScalarNode:
            return TAG + (plain_kind(value) if implicit[0] else "str")
        return TAG + ("seq" if kind is yaml.SequenceNode else "map")


class Loader(Rules, _Base):
    """The safe loader with its own idea of what plain text means."""


def scalar(text: str, kind: str) -> str | int | float | bool | None:
    """Give the value of a scalar of YAML's kind ``str``, ``null``, ``bool``, ``int`` or ``float``.

    Raises
    ------
    ValueError
        The text is nothing of the kind (a tag such as ``!!int`` claimed it).
    LookupError
        There is no such kind here.
    """
    if kind in {"str", "merge"}:
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    if kind == "int":
        return int(text.replace("_", ""), 0)
    if kind == "float":
        plain = text.replace("_", "").lower()
        return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    raise LookupError(kind)
