"""Files that end too early are told from whole ones without reading their pixels."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tifffile

from cyto.errors import ChannelError

FORMS = {
    "plain": {"metadata": None},
    "shaped": {},
    "zlib": {"compression": "zlib"},
    "zlib-plain": {"compression": "zlib", "metadata": None},
    "tiled": {"tile": (16, 16)},
    "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
    "imagej-one-page": {"imagej": True, "metadata": {"axes": "TYX"}, "truncate": True},
    "ome": {"ome": True, "metadata": {"axes": "TYX"}},
    "ome-zstd": {"ome": True, "compression": "zstd", "metadata": {"axes": "TYX"}},
    "bigtiff": {"bigtiff": True, "compression": "zlib"},
    "spaced": {"contiguous": False, "metadata": None},
}


def pixels_or_refusal(here, name):
    try:
        return here.read(name)[0]
    except ChannelError as error:
        return str(error)


@pytest.mark.parametrize("form", FORMS)
def test_truncated_anywhere(here, movie, form):
    """Either the channel is refused when it is looked at, or no pixel is lost."""
    stack = movie(6, 30, 40)
    if form == "spaced":
        with tifffile.TiffWriter(here / "whole.tif") as writer:
            for frame in stack:
                writer.write(frame, **FORMS[form])
    else:
        tifffile.imwrite(here / "whole.tif", stack, photometric="minisblack", **FORMS[form])
    np.testing.assert_array_equal(here.read("whole.tif")[0], stack)
    data = (here / "whole.tif").read_bytes()
    words = re.compile("truncated|damaged|not a TIFF|no image|missing")
    for end in [*range(1, len(data), len(data) // 40), *range(len(data) - 30, len(data))]:
        (here / "a.tif").write_bytes(data[:end])
        result = pixels_or_refusal(here, "a.tif")
        assert words.search(result) if isinstance(result, str) else (result == stack).all()


def test_truncation_says_by_how_much(here, movie):
    tifffile.imwrite(here / "a.tif", movie(6, 30, 40), photometric="minisblack")
    with (here / "a.tif").open("rb+") as stream:
        stream.truncate(9000)
    assert "it ends at byte 9,000, its pixels at" in pixels_or_refusal(here, "a.tif")
