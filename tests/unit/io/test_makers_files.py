"""Real CZI and LIF files, made here; both need the extra ``formats``."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from cyto.errors import ChannelError


def test_real_czi(here, movie):
    pytest.importorskip("bioio_czi")
    czi = pytest.importorskip("pylibCZIrw.czi")
    whole = movie(3, 2, 60, 70)
    with czi.create_czi(str(here / "a é.czi")) as document:
        for t, c in np.ndindex(3, 2):
            document.write(data=whole[t, c][..., None], plane={"T": t, "C": c, "Z": 0})
        names = {0: "tcell", 1: "dead"}
        document.write_metadata(
            document_name="a", channel_names=names, scale_x=3.25e-7, scale_y=3.25e-7
        )
    part = {"frames": (0, 3, 2), "crop": {"y": (3, 20)}}
    array, _, channel = here.read("a é.czi", channel="dead", **part)
    np.testing.assert_array_equal(array, whole[::2, 1, 3:20])
    assert channel.pixel_size_um == pytest.approx(0.325)
    assert channel.channel_name == "dead"


def test_real_lif(here, movie):
    pytest.importorskip("bioio_lif")
    whole = movie(3, 2, 60, 70)
    write_lif(here / "a é.lif", {"one": whole, "two": whole[:, :, :30] + 1})
    with pytest.raises(ChannelError, match=r"none is picked: 0 \(one\), 1 \(two\)"):
        here.inspect("a é.lif")
    array, _, channel = here.read("a é.lif", scene="two", channel=1, frames=(1, 3, 1))
    np.testing.assert_array_equal(array, whole[1:, 1, :30] + 1)
    assert channel.pixel_size_um == pytest.approx(0.5)


def write_lif(path, movies):
    """Write (T, C, Y, X) movies of 16 bits as Leica does, pixels of 0.5 µm."""
    elements, blocks = "", b""
    for number, (name, whole) in enumerate(movies.items()):
        frames, channels, height, width = whole.shape
        sizes = {1: (width, 2), 2: (height, 2 * width), 4: (frames, whole[0].nbytes)}
        dimensions = "".join(
            f'<DimensionDescription DimID="{d}" NumberOfElements="{n}" Origin="0"'
            f' Length="{(n - 1) * 5e-7}" Unit="m" BytesInc="{step}" BitInc="0"/>'
            for d, (n, step) in sizes.items()
        )
        described = "".join(
            f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" Min="0" Max="1"'
            f' NameOfMeasuredQuantity="" Unit="" LUTName="c{c}" IsLUTInverted="0"'
            f' BytesInc="{c * whole[0, 0].nbytes}" BitInc="0"/>'
            for c in range(channels)
        )
        elements += (
            f'<Element Name="{name}"><Data><Image><ImageDescription>'
            f"<Channels>{described}</Channels><Dimensions>{dimensions}</Dimensions>"
            "</ImageDescription></Image></Data>"
            f'<Memory Size="{whole.nbytes}" MemoryBlockID="M{number}"/></Element>'
        )
        label = f"M{number}".encode("utf-16-le")
        head = struct.pack("<IIBQBI", 0x70, 18 + len(label), 0x2A, whole.nbytes, 0x2A, 2)
        blocks += head + label + whole.astype("<u2").tobytes()
    header = (
        '<LMSDataContainerHeader Version="2"><Element Name="a"><Children>'
        f"{elements}</Children></Element></LMSDataContainerHeader>"
    )
    text = header.encode("utf-16-le")
    start = struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(header))
    path.write_bytes(start + text + blocks)
