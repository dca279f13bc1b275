"""Loops compiled by Numba where it is installed, and left to Python where it is not."""

from __future__ import annotations

import importlib
from typing import Any, Callable, TypeVar

Loop = TypeVar("Loop", bound=Callable[..., Any])

try:
    _numba: Any = importlib.import_module("numba")
except ImportError:  # it is not there, or not for this NumPy; an image with pandas alone serves
    _numba = None

COMPILED = _numba is not None
"""Whether loops over single pixels are fast here."""


def jit(loop: Loop) -> Loop:
    """Compile *loop* when it is first called, and keep the result on disk where that can be."""
    if _numba is None:
        return loop
    try:
        compiled: Loop = _numba.njit(cache=True, nogil=True)(loop)
    except RuntimeError:  # nowhere to write: neither beside the source nor in the user's cache
        compiled = _numba.njit(nogil=True)(loop)
    return compiled
