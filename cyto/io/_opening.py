"""TIFF files opened, or the reason why they cannot be."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tifffile

from cyto.errors import ChannelError
from cyto.io._axes import describe

# What tifffile logs about damaged files is said better in our errors.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_SIGNATURES = {
    b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a ZIP archive", b"GIF8": "a GIF image", b"%PDF": "a PDF document",
    b"\x93NUM": "a NumPy file", b"ND2": "an ND2 file", b"\xda\xce\xbe\x0a": "an ND2 file",
    b"ZISRAWFI": "a CZI file", b"versi": "a Git LFS pointer or a text file",
}  # fmt: skip


@contextmanager
def opened(path: str) -> Iterator[tuple[tifffile.TiffFile, tifffile.TiffPageSeries]]:
    """Open a TIFF file and its one image.

    Raises
    ------
    ChannelError
        Not a TIFF, damaged, or several images in one file.
    """
    try:
        with tifffile.TiffFile(path) as tif:
            yield tif, _the_series(tif, path)
    except ChannelError as error:
        error.path = error.path or path
        raise
    except OSError as error:
        raise ChannelError(
            f"cannot read {path}: {error.strerror or error}",
            path=path,
            hint="check its permissions",
        ) from error
    except tifffile.TiffFileError as error:
        raise _not_tiff(path, error) from error
    except Exception as error:  # a damaged file breaks tifffile in many ways
        raise ChannelError(
            f"{path} is damaged or truncated: {type(error).__name__}: {error}",
            path=path,
            hint="copy or export it again; tiffinfo or ImageJ may tell more",
        ) from error


def _the_series(tif: tifffile.TiffFile, path: str) -> tifffile.TiffPageSeries:
    found = [s for s in tif.series if s.keyframe.shape and not s.keyframe.is_reduced]
    if not found:
        raise ChannelError(f"{path} holds no image", hint="it is damaged or truncated")
    if len(found) > 1:
        sizes = "; ".join(describe(s.axes, s.shape) for s in found[:4])
        raise ChannelError(
            f"{path} holds {len(found)} images of different shape or position: {sizes}",
            hint="save the one to analyse as a file of its own",
        )
    return found[0]


def _not_tiff(path: str, error: Exception) -> ChannelError:
    file = Path(path)
    if not file.stat().st_size:
        return ChannelError(f"{path} is empty (0 bytes)", path=path, hint="copy it again")
    with file.open("rb") as stream:
        head = stream.read(16)
    what = next((name for sign, name in _SIGNATURES.items() if head.startswith(sign)), "")
    return ChannelError(
        f"{path} is not a TIFF image" + (f" but {what}" if what else f" ({error})"),
        path=path,
        hint="pyCyto reads TIFF, OME-TIFF and ImageJ hyperstacks: convert it, in Fiji for example",
    )
