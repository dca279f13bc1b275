"""Pixels used where they are, in the user's own file."""

from __future__ import annotations

from collections.abc import Sequence

from cyto.core.request import Ref
from cyto.io._layout import Selection, Source, select_raw


def in_place(sources: Sequence[Source], part: Selection) -> Ref | None:
    """Refer to *part* by offset and strides, if it lies in one file as numbers to be mapped."""
    if len(sources) != 1 or sources[0].raw is None:
        return None
    raw = select_raw(sources[0].axes, sources[0].raw, part)
    if not raw.is_mappable:
        return None
    return Ref(
        "image",
        "array",
        path=raw.path,
        dtype=raw.dtype,
        shape=raw.shape,
        strides=raw.strides,
        offset=raw.offset,
    )
