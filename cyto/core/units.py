"""Amounts with units, as people write them in resource files."""

from __future__ import annotations

import math
import re
from typing import Union

_MEMORY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?)(B?)\s*", re.IGNORECASE)
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)\s*")
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def parse_memory(text: Union[str, float]) -> int:
    """Read an amount of memory.

    ``8Gi``, ``8G`` and ``8GiB`` all mean 8·2³⁰ bytes (Slurm's ``G`` is 2³⁰ too); ``8GB`` is
    8·10⁹. A bare number is bytes.

    Returns
    -------
    Bytes, > 0.

    Raises
    ------
    ValueError
        The text is no amount of memory; the message shows examples.
    """
    match = None if isinstance(text, bool) else _MEMORY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no amount of memory; write 8Gi, 512Mi or 32G")
    number, prefix, binary, byte = match.groups()
    base = 1000 if byte and not binary else 1024
    amount = math.ceil(float(number) * float(base ** _POWER[prefix.upper()]))
    if amount <= 0:
        raise ValueError(f"memory must be more than 0, not {text!r}")
    return amount


def parse_duration(text: Union[str, float]) -> float:
    """Read a time limit: seconds, ``90s``, ``15min``, ``2h``, ``1d`` or Slurm's ``1-00:30:00``.

    Slurm's rule holds for clock times: ``10`` written as text with a colon reads
    ``minutes:seconds`` or ``hours:minutes:seconds``; after a day, ``days-hours[:minutes]``.

    Returns
    -------
    Seconds, > 0.

    Raises
    ------
    ValueError
        The text is no time span.
    """
    seconds = _seconds(text)
    if seconds is None or not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} is no time limit; write 90s, 15min, 2h or 01:30:00")
    return seconds


def _seconds(text: Union[str, float]) -> Union[float, None]:
    if isinstance(text, bool):
        return None
    if isinstance(text, (int, float)):
        return float(text)
    span = _SPAN.fullmatch(text)
    if span:
        return float(span.group(1)) * _SECONDS[span.group(2)]
    clock = _CLOCK.fullmatch(text.strip())
    if not clock:
        return None
    day, *rest = clock.groups()
    parts = [int(part) for part in rest if part is not None]
    if day is not None:  # days-hours[:minutes[:seconds]]
        hours, minutes, seconds = [*parts, 0, 0][:3]
        return float(int(day) * 86400 + hours * 3600 + minutes * 60 + seconds)
    if len(parts) == 1:
        return float(parts[0])
    if len(parts) == 2:
        return float(parts[0] * 60 + parts[1])
    return float(parts[0] * 3600 + parts[1] * 60 + parts[2])


def format_memory(amount: float) -> str:
    """Write bytes for people: ``8 GiB``, ``512 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return (
                f"{amount:.0f} {unit}"
                if amount >= 10 or amount == int(amount)
                else f"{amount:.1f} {unit}"
            )
        amount /= 1024
    return f"{amount:.1f} TiB"


def format_duration(seconds: float) -> str:
    """Write a time span for people: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
