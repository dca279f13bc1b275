"""Which files a task is made of: what a container must see and what a store's key hashes."""

from __future__ import annotations

import ast
import glob
import importlib.util
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from cyto.errors import TaskInputError


def code_roots(path: str) -> tuple[str, ...]:
    """Name the module file or package folder that a user's own class lies in.

    Parameters
    ----------
    path
        The class's dotted path.

    Returns
    -------
    Absolute paths: of that module or package first, then of the modules and packages beside it
    that it imports, directly or through one another, at its top or inside functions. Empty for
    classes of pyCyto itself, which every worker sees anyway; nothing is beside an installed
    package.

    Raises
    ------
    TaskInputError
        The class is defined in a notebook or script, where no worker can find it.
    """
    top = path.partition(".")[0]
    if top == "cyto":
        return ()
    if top == "__main__":
        raise TaskInputError(
            f"{path.rpartition('.')[2]} is defined in a notebook or script, which a worker cannot "
            "import",
            hint="put the class into a module file of its own and import it from there",
        )
    spec = importlib.util.find_spec(top)
    if spec is None:
        return ()
    if spec.submodule_search_locations is not None:
        roots = [os.path.abspath(folder) for folder in spec.submodule_search_locations]
    elif spec.origin and os.path.isfile(spec.origin):
        roots = [os.path.abspath(spec.origin)]
    else:
        return ()
    for root in roots:  # grows while it is walked
        roots += [path for path in _beside(root) if path not in roots]
    return tuple(roots)


def imported_names(source: bytes) -> Iterator[str]:
    """List what a source imports, at its top or inside functions; an attribute may be a module."""
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def _beside(root: str) -> Iterator[str]:
    """Give the modules and packages in the same folder that a module or package imports."""
    folder = os.path.dirname(root)
    if os.path.basename(folder) in {"site-packages", "dist-packages"}:
        return
    files = glob.glob(f"{glob.escape(root)}/**/*.py", recursive=True) if os.path.isdir(root) else []
    for file in files or [root]:
        for name in _tops(file, os.stat(file).st_mtime_ns):
            for path in (os.path.join(folder, f"{name}.py"), os.path.join(folder, name)):
                if os.path.isfile(path) or os.path.isfile(os.path.join(path, "__init__.py")):
                    yield path
                    break


@lru_cache(maxsize=4096)
def _tops(file: str, changed_ns: int) -> frozenset[str]:  # noqa: ARG001 - part of the key
    try:
        with open(file, "rb") as source:
            return frozenset(name.partition(".")[0] for name in imported_names(source.read()))
    except (OSError, SyntaxError, ValueError):  # whoever imports it says what is wrong
        return frozenset()


def path_parameters(cls: Any, params: Mapping[str, Any], base: str = ".") -> dict[str, str]:
    """Find the parameters that name a file or folder which exists.

    Parameters
    ----------
    cls, params
        The task's class and its parameters.
    base
        The folder that relative paths start from.

    Returns
    -------
    Absolute paths by parameter name, for parameters declared with ``path=True`` whose value is
    the path of something; a registered model's name, say, is none.
    """
    declared = getattr(cls, "parameters", {})
    found = {
        name: os.path.abspath(os.path.join(base, os.path.expanduser(value)))
        for name, value in params.items()
        if name in declared and declared[name].path and isinstance(value, str) and value
    }
    return {name: path for name, path in found.items() if os.path.exists(path)}
