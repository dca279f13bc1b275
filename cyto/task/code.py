"""Which files a task is made of: what a container must see and what a store's key hashes."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, Mapping, Tuple


def code_roots(cls: type) -> Tuple[str, ...]:
    """Name the module file or package folder that a user's own class lies in.

    Returns
    -------
    Absolute paths; empty for classes of pyCyto itself, which every worker sees anyway.
    """
    top = cls.__module__.partition(".")[0]
    if top in {"cyto", "builtins"}:
        return ()
    module = sys.modules.get(top)
    file = getattr(module, "__file__", None)
    if file is None:  # a namespace package has folders only
        return tuple(os.path.abspath(p) for p in getattr(module, "__path__", []))
    path = os.path.abspath(file)
    return (os.path.dirname(path) if os.path.basename(path) == "__init__.py" else path,)


def path_parameters(cls: type, params: Mapping[str, Any], base: str = ".") -> Dict[str, str]:
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
