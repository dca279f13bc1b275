"""Models that the tests train themselves, since no weights can be downloaded."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import cyto
from cyto.core.layout import cache_folder

RECIPE = Path(__file__).with_name("train_cellpose.py")
NAME = "cellpose_tiny"
STARDIST_RECIPE = Path(__file__).with_name("train_stardist.py")
STARDIST_NAME = "stardist_tiny"
RECIPES = {"cellpose": RECIPE, "stardist": STARDIST_RECIPE}
"""Scripts that train a tiny model, by the name of the tool's image."""


def have_cellpose() -> bool:
    """Tell whether CellPose can be imported here."""
    return importlib.util.find_spec("cellpose") is not None


def have_stardist() -> bool:
    """Tell whether StarDist and TensorFlow can be imported here."""
    return all(importlib.util.find_spec(name) for name in ("stardist", "tensorflow"))


def model_cache() -> Path:
    """Name the folder that keeps trained models between test runs."""
    return cache_folder() / "test-models"


def recipe_key(*versions: str, recipe: Path = RECIPE) -> str:
    """Give a hash of all that decides what the recipe trains: its code and the libraries."""
    simulation = sorted((Path(cyto.__path__[0]) / "simulation").glob("*.py"))
    digest = hashlib.sha256()
    for path in [recipe, *simulation]:
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
        _run(RECIPE, kept)
    target = folder / NAME
    target.write_bytes(kept.read_bytes())
    return target


def train_stardist(folder: Path) -> Path:
    """Put the folder of a tiny StarDist model, trained with this machine's StarDist, into *folder*.

    Training takes about a minute, once: the model is kept in `model_cache`. Inside an image, run
    ``python tests/train_stardist.py OUT`` instead, and keep OUT, a folder, under
    ``recipe_key(image, recipe=STARDIST_RECIPE)``.
    """
    libraries = ("stardist", "csbdeep", "keras", "numpy", "scipy")
    key = recipe_key(*(version(name) for name in libraries), recipe=STARDIST_RECIPE)
    kept = model_cache() / f"{STARDIST_NAME}-{key}"
    if not kept.exists():
        _run(STARDIST_RECIPE, kept)
    return Path(shutil.copytree(kept, folder / STARDIST_NAME))


def _run(recipe: Path, kept: Path) -> None:
    """Run a recipe in a process of its own: nothing of its libraries stays here."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, str(recipe), str(kept)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(cyto.__path__[0]).parent)},
        stdout=subprocess.DEVNULL,
    )
