"""How chunks of OME-Zarr are compressed."""

from __future__ import annotations

from typing import Any, Literal

from cyto.errors import TaskOutputError
from cyto.io._pixels import refused_compression


def check_compression(asked: str | None, name: str) -> None:
    """Raise `TaskOutputError` if zarr is not installed, or knows nothing of what is asked."""
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise TaskOutputError(
            "cannot be written as OME-Zarr: the package zarr is not installed",
            key=name,
            hint="pip install 'pycyto[zarr]' (Python 3.11 or newer)",
        ) from error
    if asked not in {None, "zstd", "zlib", "none"}:
        raise refused_compression(str(asked), name)


def codec_of(compression: str | None, label: bool) -> Any:
    """Give zarr's codec; shuffled bytes make images smaller, and labels larger."""
    from zarr import codecs

    if compression == "none":
        return None
    if compression == "zlib":
        return codecs.GzipCodec(level=1)
    shuffle: Literal["noshuffle", "shuffle"] = "noshuffle" if label else "shuffle"
    return codecs.BloscCodec(cname="zstd", clevel=1, shuffle=shuffle)
