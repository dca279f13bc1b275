"""CellPose 3 behind three functions: find the weights, load the model, segment."""

from __future__ import annotations

import functools
import logging
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from cyto.errors import TaskInputError, UnavailableError, nearest

log = logging.getLogger("cellpose.cyto")  # heard wherever CellPose is
TASK = "CellPose"
STANDARD_WIDTHS = [2, 32, 64, 128, 256]
"""Channels of the published networks: input, then each level."""
TRANSFORMER_KEYS = ("net.encoder.patch_embed1.", "net.decoder.", "net.segmentation_head.")
"""How the names of the weights of CellPose 3's other network begin, each of them at least once."""
KINDS = {
    b"\x89HDF": "an HDF5 file, such as the weights of Keras or StarDist",
    b"\x93NUMPY": "a NumPy array, such as a size model",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"\x89PNG": "a PNG image",
    b"version https://git-lfs": "a pointer of Git LFS, to be fetched with git lfs pull",
    b"\x80": "a Python pickle with more than weights, such as a whole network",
}
"""What a file that is no weights seems to be, by its first bytes."""


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
        They are not there, or a folder is; says where they were looked for and how to get them.
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
        place = own if own.is_dir() else folder / model_type
        return Weights(_existing(place, model_type))
    if model_type not in models.MODEL_NAMES:
        for place in (own, folder / model_type):
            if place.is_dir():
                raise _wrong(place, _folder_kind(place))
        raise TaskInputError(
            f"there is no model {model_type!r}: no file of that name, and no registered model",
            task=TASK,
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
    if path.is_dir():
        raise _wrong(path, _folder_kind(path))
    if "/" in model_type:
        raise TaskInputError(
            f"there is no model file {model_type}",
            task=TASK,
            hint="model_type is a registered name such as cyto2, or the path of a trained model; "
            "in a container, only paths that exist on the host are mounted",
        )
    raise TaskInputError(
        f"the weights of model {model_type!r} are not in {path.parent} (no file {path.name}), "
        "and nothing is downloaded unasked",
        task=TASK,
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

    Raises
    ------
    TaskInputError
        The file is no model of CellPose 3; says what it seems to be.
    UnavailableError
        The model is a transformer, and the library for those is not installed.
    """
    import torch
    from cellpose import core

    if gpu and not core.use_gpu(use_torch=True):
        log.warning("no GPU was found, running on the CPU")
    state = _state(Path(path))
    transformer = _is_transformer(Path(path), state)
    try:
        return _transformer(path, gpu) if transformer else _residual(path, _widths(state), gpu)
    except (MemoryError, torch.cuda.OutOfMemoryError, UnavailableError):
        raise  # not the file's fault
    except Exception as error:  # whatever CellPose and PyTorch make of foreign weights
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise _wrong(
            Path(path), f"its weights do not fit a network of CellPose 3 ({words[:300]})"
        ) from error


def _transformer(path: str, gpu: bool) -> Any:
    from cellpose import models

    try:
        return models.CellposeModel(gpu=gpu, pretrained_model=path, backbone="transformer")
    except ImportError as error:
        raise UnavailableError(
            f"{path} is a transformer of CellPose, and its library cannot be imported ({error})",
            hint="pip install segmentation-models-pytorch in the environment or image of this task",
        ) from error


def _residual(path: str, widths: list[int], gpu: bool) -> Any:
    from cellpose import models
    from cellpose.resnet_torch import CPnet

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


def _state(path: Path) -> dict[str, Any]:
    """Read the weights in a file, by name."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except OSError as error:
        raise _wrong(path, f"it cannot be read ({error})") from error
    except Exception as error:  # PyTorch has one for each kind of junk
        raise _wrong(path, f"it seems to be {_file_kind(path)}") from error
    if not isinstance(state, dict):
        raise _wrong(path, f"it is a PyTorch file with a {type(state).__name__}, not with weights")
    strange = [str(name) for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if strange or not state:
        what = f"among others {_listed(strange)}" if strange else "nothing"
        raise _wrong(
            path,
            f"it is a PyTorch file that holds {what}, such as a checkpoint of another tool, "
            "instead of a network's weights alone",
        )
    return state


def _is_transformer(path: Path, state: dict[str, Any]) -> bool:
    """Tell CellPose's transformer from its residual network; anything else is an error."""
    if _level(0) in state:
        return False
    if all(any(name.startswith(key) for name in state) for key in TRANSFORMER_KEYS):
        return True
    if "W2" in state:
        raise _wrong(path, "it seems to be a model of CellPose 4, which CellPose 3 cannot run")
    raise _wrong(
        path, f"it seems to be another network's weights in PyTorch ({_listed(list(state))})"
    )


def _level(index: int) -> str:
    return f"downsample.down.res_down_{index}.proj.1.weight"


def _widths(state: dict[str, Any]) -> list[int]:
    """Read a residual network's channel counts from its weights."""
    levels: list[Any] = []
    while _level(len(levels)) in state:
        levels.append(state[_level(len(levels))].shape)
    return [int(levels[0][1]), *(int(shape[0]) for shape in levels)]


def _listed(names: list[str]) -> str:
    return ", ".join([*names[:3], "…"] if len(names) > 3 else names)


def _file_kind(path: Path) -> str:
    """Say what a file that PyTorch cannot read as weights seems to be."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    if start.startswith(b"PK"):
        if not zipfile.is_zipfile(path):
            return "a damaged file, cut off while it was copied or downloaded"
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/data.pkl") for name in archive.namelist()):
                return "a PyTorch file with more than weights, such as a whole network"
        return "a zip archive, such as a packed model of StarDist"
    for magic, kind in KINDS.items():
        if start.startswith(magic):
            return kind
    is_text = not set(start) & (set(range(32)) - set(b"\t\n\f\r"))
    return "a text file" if is_text else "no file of PyTorch at all"


def _folder_kind(path: Path) -> str:
    if (path / "config.json").is_file():
        return "it is a folder, and seems to be a model of StarDist (there is a config.json in it)"
    return "it is a folder, and a model of CellPose is one file"


def _wrong(path: Path, what: str) -> TaskInputError:
    return TaskInputError(
        f"{path} cannot be used: {what}",
        task=TASK,
        key="model_type",
        hint="give a model trained by CellPose, one file, or a registered name such as cyto2; "
        "a model of StarDist goes to StarDist",
    )


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
