"""CellPose 3 behind three functions: find the weights, load the model, segment."""

from __future__ import annotations

import functools
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from cyto.errors import TaskInputError, UnavailableError, nearest

log = logging.getLogger("cellpose.cyto")  # heard wherever CellPose is
STANDARD_WIDTHS = [2, 32, 64, 128, 256]
"""Channels of the published networks: input, then each level."""


@dataclass(frozen=True)
class Weights:
    """A model on disk: its file, and the file that estimates diameters, if it has one."""

    path: Path
    size_path: Optional[Path] = None


@contextmanager
def messages(*, verbose: bool) -> Iterator[None]:
    """Let CellPose's messages through, on stderr, only when asked for.

    Warnings about how it uses PyTorch are for its authors, not for ours.
    """
    logger = logging.getLogger("cellpose")
    level = logger.level
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("cellpose: %(message)s"))
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    if verbose:
        logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse invariant checks")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def find_weights(model_type: str, models_folder: Optional[str], *, download: bool) -> Weights:
    """Find the files of a model, by path or by registered name.

    Raises
    ------
    TaskInputError
        They are not there; says where they were looked for and how to get them.
    UnavailableError
        The CellPose that is installed is not version 3.
    """
    from cellpose import models

    _check_version()
    own = Path(model_type).expanduser()
    if own.is_file():
        size = own.with_name(own.name + "_size.npy")
        return Weights(own, size if size.is_file() else None)
    folder = Path(models_folder).expanduser() if models_folder else Path(models.MODEL_DIR)
    if "/" in model_type or (folder / model_type).is_file():
        return Weights(_existing(folder / model_type, model_type))
    if model_type not in models.MODEL_NAMES:
        raise TaskInputError(
            f"there is no model {model_type!r}: no file of that name, and no registered model",
            task="CellPose",
            hint=nearest(model_type, models.MODEL_NAMES, what="model"),
        )
    if download:
        models.model_path(model_type)
    file, size_file = _file_names(model_type)
    if download and size_file:
        models.size_model_path(model_type)
    found = folder / (size_file or "")
    return Weights(_existing(folder / file, model_type), found if found.is_file() else None)


def _file_names(model_type: str) -> tuple[str, Optional[str]]:
    """Give the names under which cellpose.org keeps a model and its size model."""
    if model_type in {"cyto", "cyto2", "nuclei"}:
        return f"{model_type}torch_0", f"size_{model_type}torch_0.npy"
    return model_type, "size_cyto3.npy" if model_type == "cyto3" else None


def _existing(path: Path, model_type: str) -> Path:
    if path.is_file():
        return path
    if "/" in model_type:
        raise TaskInputError(
            f"there is no model file {model_type}",
            task="CellPose",
            hint="model_type is a registered name such as cyto2, or the path of a trained model; "
            "in a container, only paths that exist on the host are mounted",
        )
    raise TaskInputError(
        f"the weights of model {model_type!r} are not in {path.parent} (no file {path.name}), "
        "and nothing is downloaded unasked",
        task="CellPose",
        hint=f"fetch https://www.cellpose.org/models/{path.name} into that folder; or name the "
        "folder that has it with the parameter models_folder or the variable "
        "CELLPOSE_LOCAL_MODELS_PATH; or write download: true (a container then needs "
        "network: true)",
    )


def _check_version() -> None:
    from importlib.metadata import version

    found = version("cellpose")
    if not found.startswith("3."):
        raise UnavailableError(
            f"CellPose 3 is needed, and {found} is installed",
            hint="pip install 'cellpose>=3.1,<4' in the environment or image of this task",
        )


@functools.lru_cache(maxsize=2)
def load_model(path: str, changed_ns: int, gpu: bool) -> Any:  # noqa: ARG001 - part of the key
    """Load a network, of the standard widths or any other; cached per process.

    CellPose builds networks of the standard widths only, so for another one the network is made
    from the widths that its weights have, and put in place of the standard one.
    """
    from cellpose import core, models
    from cellpose.resnet_torch import CPnet

    if gpu and not core.use_gpu(use_torch=True):
        log.warning("no GPU was found, running on the CPU")
    widths = _widths(path)
    if widths is None:
        return models.CellposeModel(gpu=gpu, pretrained_model=path, backbone="transformer")
    diameter_px = 17.0 if re.search(r"nuclei", Path(path).name) else 30.0
    if widths == STANDARD_WIDTHS:
        return models.CellposeModel(gpu=gpu, pretrained_model=path, diam_mean=diameter_px)
    model = models.CellposeModel(gpu=gpu, pretrained_model=False, nchan=widths[0])
    net = CPnet(widths, model.nclasses, sz=3, mkldnn=model.mkldnn, max_pool=True)
    net = net.to(model.device)
    net.load_model(path, device=model.device)
    model.net, model.nbase, model.pretrained_model = net, widths, path
    model.diam_mean, model.diam_labels = float(net.diam_mean), float(net.diam_labels)
    return model


def _widths(path: str) -> Optional[list[int]]:
    """Read a residual network's channel counts from its weights; None for a transformer."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    levels: list[Any] = []
    while f"downsample.down.res_down_{len(levels)}.proj.1.weight" in state:
        levels.append(state[f"downsample.down.res_down_{len(levels)}.proj.1.weight"].shape)
    return [int(levels[0][1]), *(int(shape[0]) for shape in levels)] if levels else None


def segment(
    movie: NDArray[Any],
    model: Any,
    weights: Weights,
    *,
    diameter: Optional[float],
    channels: list[int],
    batch_size: int,
    **thresholds: float,
) -> NDArray[Any]:
    """Segment (T, Y, X) *movie* frame by frame; gives labels, uint16 or uint32."""
    how = {"channels": channels, "batch_size": batch_size}
    labels: NDArray[Any] = np.zeros(movie.shape, np.uint16)
    for index, frame in enumerate(movie):
        if frame.size == 0 or frame.min() == frame.max():
            continue  # CellPose's own scaling divides by the difference
        image = np.array(frame, np.float32)
        size = diameter if diameter is not None else _estimate(image, model, weights, how)
        found = model.eval(image, diameter=size, **how, **thresholds)[0]
        if found.max() > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint32)
        labels[index] = found.reshape(frame.shape)
        log.info("frame %d: %d cells", index, found.max())
    return labels


def _estimate(
    image: NDArray[Any], model: Any, weights: Weights, how: dict[str, Any]
) -> Optional[float]:
    """Estimate the cells' diameter, px; None leaves it to the model's training."""
    if weights.size_path is None:
        return None
    from cellpose import models

    sizes = models.SizeModel(model, pretrained_size=str(weights.size_path))
    return float(sizes.eval(image, **how)[0])
