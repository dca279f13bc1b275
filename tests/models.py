"""Models that the tests train themselves, since no weights can be downloaded."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import cyto
from cyto.core.layout import cache_folder

RECIPE = Path(__file__).with_name("train_cellpose.py")
NAME = "cellpose_tiny"


def have_cellpose() -> bool:
    """Tell whether CellPose can be imported here."""
    return importlib.util.find_spec("cellpose") is not None


def model_cache() -> Path:
    """Name the folder that keeps trained models between test runs."""
    return cache_folder() / "test-models"


def recipe_key(*versions: str) -> str:
    """Give a hash of all that decides what the recipe trains: its code and the libraries."""
    simulation = sorted((Path(cyto.__path__[0]) / "simulation").glob("*.py"))
    digest = hashlib.sha256()
    for path in [RECIPE, *simulation]:
        digest.update(path.read_bytes())
    digest.update(" ".join(versions).encode())
    return digest.hexdigest()[:16]


def train_cellpose(folder: Path) -> Path:
    """Put a tiny CellPose model, trained with this machine's CellPose, into *folder*.

    Training takes about a minute, once: the model is kept in `model_cache`. Inside an image, run
    ``python tests/train_cellpose.py OUT`` instead, and keep OUT under ``recipe_key(image)``.
    """
    key = recipe_key(*(version(name) for name in ("cellpose", "torch", "numpy", "scipy")))
    kept = model_cache() / f"{NAME}-{key}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        code = str(Path(cyto.__path__[0]).parent)
        subprocess.run(  # a process of its own: nothing of torch stays here
            [sys.executable, str(RECIPE), str(kept)],
            check=True,
            env={**os.environ, "PYTHONPATH": code},
            stdout=subprocess.DEVNULL,
        )
    target = folder / NAME
    target.write_bytes(kept.read_bytes())
    return target
