"""Results in the formats that people open."""

from __future__ import annotations

from pathlib import Path


def export_value(
    value: object,
    kind: str,
    folder: Path,
    name: str,
    *,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    channel: str | None = None,
    parquet: bool = False,
) -> Path:
    """Write one value for people; gives the path of the file."""
    raise NotImplementedError
