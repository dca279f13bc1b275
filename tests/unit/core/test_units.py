"""Amounts as people write them."""

from __future__ import annotations

import math

import pytest

from cyto.core.units import format_duration, format_memory, parse_duration, parse_memory

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("8Gi", 8 * GIB), ("8G", 8 * GIB), ("8GiB", 8 * GIB), ("8gib", 8 * GIB), ("32G", 32 * GIB),
        ("8GB", 8 * 10**9), ("512Mi", 512 * 2**20), ("64K", 64 * 1024), ("1T", 2**40),
        ("2PiB", 2**51), (" 1.5 Gi ", 3 * GIB // 2), ("100", 100), (100, 100), (1.5, 2), ("7B", 7),
    ],
)  # fmt: skip
def test_memory(text, amount):
    assert parse_memory(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        "8 apples",
        "-1G",
        "8Gi8",
        "0",
        0,
        "0Gi",
        "1e3",
        True,
        -5,
        math.nan,
        math.inf,
        "8Gi\n9",
    ],
)
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(ValueError, match="memory"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90), (0.5, 0.5), ("90s", 90), ("1.5 h", 5400), ("15min", 900), ("15m", 900),
        ("2h", 7200), ("1d", 86400), ("10:30", 630), ("01:30:00", 5400), ("1-00", 86400),
        ("1-12:30", 131400), ("1-00:30:00", 88200), ("00:00:01", 1),
    ],
)  # fmt: skip
def test_duration(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", -5, 0, "0s", "00:00:00", "1:2:3:4", "2 weeks", True, math.nan, math.inf],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is no time limit; write 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (512 * 2**20, "512 MiB"),
        (8 * GIB, "8 GiB"), (2.5 * 2**40, "2.5 TiB"), (5000 * 2**40, "5000.0 TiB"),
    ],
)  # fmt: skip
def test_memory_in_words(amount, text):
    assert format_memory(amount) == text


@pytest.mark.parametrize("amount", [1, 1024, 3 * 2**20, 8 * GIB, 2**40])
def test_memory_in_words_reads_back(amount):
    assert parse_memory(format_memory(amount).replace(" ", "")) == amount


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (0.44, "0.4 s"), (12, "12 s"), (59.4, "59 s"), (59.6, "1 min 0 s"),
        (200, "3 min 20 s"), (3600, "1 h 0 min"), (7500, "2 h 5 min"), (200000, "55 h 33 min"),
    ],
)  # fmt: skip
def test_duration_in_words(seconds, text):
    assert format_duration(seconds) == text
