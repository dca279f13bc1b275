"""Which files a task is made of: what a container must see and what a store's key hashes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
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
    Absolute paths; empty for classes of pyCyto itself, which every worker sees anyway.

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
        return tuple(os.path.abspath(folder) for folder in spec.submodule_search_locations)
    return (os.path.abspath(spec.origin),) if spec.origin and os.path.isfile(spec.origin) else ()


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
