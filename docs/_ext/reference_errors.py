"""Every error that pyCyto raises on purpose, with the program's exit code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from reference_words import code, plain, table

from cyto import errors


def families() -> list[type[errors.CytoError]]:
    """Give every error class, a base before what derives from it."""
    return list(_below(errors.CytoError))


def _below(cls: type[errors.CytoError]) -> Iterator[type[errors.CytoError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _below(child)


def errors_page() -> str:
    """Give the table of all, then a section for each."""
    rows = [
        (f"[{code(c.__name__)}](#{c.__name__.lower()})", str(c.exit_code), _base(c), _summary(c))
        for c in families()
    ]
    overview = table(("error", "exit code", "is a", "meaning"), rows)
    return overview + "\n" + "\n\n".join(_section(cls) for cls in families())


def _section(cls: type[errors.CytoError]) -> str:
    return (
        f"## {cls.__name__}\n\n"
        f"The program ends with exit code {cls.exit_code}.\n\n"
        f"```{{eval-rst}}\n.. autoclass:: {cls.__module__}.{cls.__name__}\n"
        "   :show-inheritance:\n```"
    )


def _base(cls: type[errors.CytoError]) -> str:
    return code(cls.__mro__[1].__name__)


def _summary(cls: type) -> str:
    return plain((inspect.getdoc(cls) or "").partition("\n")[0])
