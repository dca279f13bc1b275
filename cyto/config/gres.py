"""Slurm's generic resources, as in ``gpu:a100:2``."""

from __future__ import annotations

import re

from cyto.config.fields import WrongValueError

_ITEM = re.compile(r"([A-Za-z_]\w*)(?::([A-Za-z_][\w.-]*))?(?::(\d+)[KMG]?)?(?:\(.*\))?")


def parse_gres(text: str) -> dict[str, int]:
    """Count what ``--gres`` asks for.

    Parameters
    ----------
    text
        ``gpu``, ``gpu:1``, ``gpu:a100:2``, or several with commas between.

    Returns
    -------
    The count by name, types added up: ``gpu:a100:2,gpu:t4:1`` gives ``{"gpu": 3}``.

    Raises
    ------
    WrongValueError
        The text is nothing of the kind.
    """
    counts: dict[str, int] = {}
    for item in text.split(","):
        match = _ITEM.fullmatch(item.strip())
        if match is None:
            raise WrongValueError(f"{text!r} is no gres", "write gpu:1 or gpu:a100:2")
        name, _, count = match.groups()
        counts[name] = counts.get(name, 0) + int(count or 1)
    return counts
