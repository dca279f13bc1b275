"""Train a tiny CellPose model on simulated cells: ``python tests/train_cellpose.py OUT``.

Needs NumPy, SciPy, CellPose and our package, and no test tools, so that it runs in a container.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

WIDTHS = [2, 8, 16, 256]
"""Channels of the network; a published one has 2, 32, 64, 128, 256 (the last must be 256)."""
EPOCHS = 40
MOVIES = 12
DIAMETER_PX = 15.0
"""Images are scaled so that cells have this diameter: small, for a small network."""


def training_set():
    """Give images and truth labels of cancer cells, lists of (Y, X)."""
    from cyto.simulation import simulate_assay

    images, labels = [], []
    for seed in range(100, 100 + MOVIES):
        assay = simulate_assay(frames=2, tcells=4, cancer_cells=16 + seed % 8, seed=seed)
        images.append(assay.cancer[-1])
        labels.append(assay.cancer_labels[-1])
    return images, labels


def train(target: Path) -> None:
    """Train a model, about a minute, and save it as *target*; the same libraries give the same."""
    import numpy as np
    import torch
    from cellpose import models
    from cellpose import train as trainer
    from cellpose.resnet_torch import CPnet

    torch.set_num_threads(1)  # small layers: threads would only wait for each other
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - CellPose draws from the global generator
    images, labels = training_set()
    model = models.CellposeModel(gpu=False, pretrained_model=False)
    net = CPnet(WIDTHS, model.nclasses, sz=3, mkldnn=False, diam_mean=DIAMETER_PX)
    with tempfile.TemporaryDirectory() as folder:
        path = trainer.train_seg(
            net,
            train_data=images,
            train_labels=[label.astype(np.int32) for label in labels],
            channels=[0, 0],
            n_epochs=EPOCHS,
            learning_rate=0.005,
            batch_size=6,
            bsize=64,
            save_path=folder,
            model_name="tiny",
        )[0]
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(Path(path).read_bytes())
        partial.replace(target)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
