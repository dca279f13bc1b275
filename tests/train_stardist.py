"""Train a tiny StarDist model on simulated cells: ``python tests/train_stardist.py OUT``.

Needs NumPy, SciPy, StarDist and our package, and no test tools, so that it runs in a container.
OUT becomes the model's folder: ``config.json``, ``thresholds.json`` and ``weights_best.h5``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

SETTINGS = {
    "n_rays": 16,
    "grid": (2, 2),
    "unet_n_depth": 2,
    "unet_n_filter_base": 8,
    "net_conv_after_unet": 32,
    "train_patch_size": (96, 96),
    "train_batch_size": 8,
    "train_epochs": 30,
    "train_steps_per_epoch": 20,
    "train_learning_rate": 0.003,
    "train_reduce_lr": {"factor": 0.5, "patience": 5, "min_delta": 0},
    "train_tensorboard": False,
    "train_sample_cache": True,
}
"""Of the network; a published one has 32 rays, depth 3, 32 filters and 128 features."""
MOVIES = 12
KEPT_BACK = 2
"""Movies that the training does not see: they choose the best weights."""


def training_set():
    """Give images, scaled as the task scales them, and truth labels, lists of (Y, X)."""
    import numpy as np

    from cyto.simulation import simulate_assay

    images, labels = [], []
    for seed in range(100, 100 + MOVIES):
        assay = simulate_assay(frames=2, tcells=4, cancer_cells=16 + seed % 8, seed=seed)
        image = assay.cancer[-1].astype(np.float32)
        low, high = np.percentile(image, [1, 99.8])
        images.append((image - low) / (high - low))
        labels.append(assay.cancer_labels[-1].astype(np.int32))
    return images, labels


def flip(image, label):
    """Turn and mirror a pair at random."""
    import numpy as np

    turns, mirror = np.random.randint(4), np.random.randint(2)  # noqa: NPY002 - StarDist seeds it
    image, label = np.rot90(image, turns), np.rot90(label, turns)
    return (np.fliplr(image), np.fliplr(label)) if mirror else (image, label)


def train(target: Path) -> None:
    """Train a model, a minute or two, and save it as the folder *target*."""
    import keras
    from stardist.models import Config2D, StarDist2D

    keras.utils.set_random_seed(0)
    images, labels = training_set()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        model = StarDist2D(Config2D(**SETTINGS), name="tiny", basedir=folder)
        seen, unseen = slice(KEPT_BACK, None), slice(KEPT_BACK)
        model.train(
            images[seen],
            labels[seen],
            validation_data=(images[unseen], labels[unseen]),
            augmenter=flip,
            seed=0,
        )
        model.optimize_thresholds(images[unseen], labels[unseen])
        (Path(folder) / "tiny" / "weights_last.h5").unlink(missing_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        (Path(folder) / "tiny").replace(target)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    train(Path(sys.argv[1]))
