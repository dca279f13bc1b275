"""Loops compiled by Numba where it is installed, and left to Python where it is not."""

from __future__ import annotations

from typing import Any, Callable, TypeVar

Loop = TypeVar("Loop", bound=Callable[..., Any])

try:
    import numba
except ImportError:  # an image with scikit-image and pandas alone serves, more slowly
    numba = None

COMPILED = numba is not None
"""Whether loops over single pixels are fast here."""


def jit(loop: Loop) -> Loop:
    """Compile *loop* when it is first called, and keep the result on disk where that can be."""
    if numba is None:
        return loop
    try:
        return numba.njit(cache=True, nogil=True)(loop)  # type: ignore[no-any-return]
    except RuntimeError:  # nowhere to write: neither beside the source nor in the user's cache
        return numba.njit(nogil=True)(loop)  # type: ignore[no-any-return]
