"""What plain text means in our YAML: PyYAML's safe loader without the traps of YAML 1.1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    _Base = yaml.SafeLoader
else:
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

TAG = "tag:yaml.org,2002:"


class Loader(_Base):
    """The safe loader with its own idea of what plain text means."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own way


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
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", "|".join(_BOOLS), list("tTfFyYnNoO")),
    ("int", rf"[-+]?(?:{_NUMBER}|0x[0-9a-fA-F_]+)", list("-+0123456789")),
    ("float", rf"[-+]?(?:{'|'.join(_FLOATS)})", list("-+0123456789.")),
    ("merge", r"<<", ["<"]),
)
for _name, _pattern, _first in _RULES:
    Loader.add_implicit_resolver(TAG + _name, re.compile(rf"^(?:{_pattern})$"), _first)


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
