"""StarDist behind three functions: find the model, load it, segment."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from cyto.errors import TaskInputError, nearest

TASK = "StarDist"
REGISTERED = {
    "2D_versatile_fluo": "python_2D_versatile_fluo.zip",
    "2D_versatile_he": "python_2D_versatile_he.zip",
    "2D_paper_dsb2018": "python_2D_paper_dsb2018.zip",
    "2D_demo": "python_2D_demo.zip",
}
"""Names that StarDist knows, with the files of its authors' release v0.1."""
SITE = "https://github.com/stardist/stardist-models/releases/download/v0.1"
TILE_PX = 2048
"""Longest side of what the network sees at once."""

# before TensorFlow is imported: no chatter, and no more of a GPU's memory than is used
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


@contextmanager
def messages(*, verbose: bool) -> Iterator[None]:
    """Let StarDist's messages, which it prints, through only when asked for, on stderr.

    Warnings about how it uses TensorFlow are for its authors, not for ours.
    """
    logger = logging.getLogger("tensorflow")
    level = logger.level
    if not verbose:
        logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(sys.stderr if verbose else io.StringIO()),
        ):
            warnings.filterwarnings("ignore")
            yield
    finally:
        logger.setLevel(level)


def find_model(name: str, models_folder: Optional[str], *, download: bool) -> Path:
    """Find a model's folder, by path or by registered name.

    Raises
    ------
    TaskInputError
        It is not there; says where it was looked for and how to get it.
    """
    own = Path(name).expanduser()
    if own.is_dir():
        return own
    if own.exists() or "/" in name:
        what = "is a file, not a model's folder" if own.exists() else "does not exist"
        raise _not_found(
            f"{name} {what}",
            "model_name is a registered name such as 2D_versatile_fluo, or the folder of a trained "
            "model; in a container, only paths that exist on the host are mounted",
        )
    if name not in REGISTERED:
        raise _not_found(
            f"there is no model {name!r}: no folder of that name, and no registered model",
            nearest(name, REGISTERED, what="model"),
        )
    given = models_folder or os.environ.get("STARDIST_MODELS")
    folder = Path(given).expanduser() if given else _keras_folder()
    for place in (folder / name, folder / name / name, folder / name / f"{name}_extracted"):
        if (place / "config.json").is_file():
            return place
    if download:
        return _downloaded(name)
    raise _not_found(
        f"the model {name!r} is not in {folder} (no {name}/config.json), and nothing is "
        "downloaded unasked",
        f"fetch {SITE}/{REGISTERED[name]} and unpack it into {folder / name}; or name the folder "
        "that has it with the parameter models_folder or the variable STARDIST_MODELS; or write "
        "download: true (a container then needs network: true)",
    )


def _not_found(message: str, hint: str) -> TaskInputError:
    return TaskInputError(message, task=TASK, hint=hint)


def _keras_folder() -> Path:
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "models" / "StarDist2D"


def _downloaded(name: str) -> Path:
    from csbdeep.models.pretrained import get_model_folder
    from stardist.models import StarDist2D

    return Path(get_model_folder(StarDist2D, name))


def changed(folder: Path) -> int:
    """Give the time, ns, of the last change to what is in *folder*."""
    return max((path.stat().st_mtime_ns for path in folder.iterdir()), default=0)


@functools.lru_cache(maxsize=2)
def load_model(folder: str, changed_ns: int) -> Any:  # noqa: ARG001 - part of the key
    """Load a model; cached per process.

    Raises
    ------
    TaskInputError
        The folder holds no model of StarDist in 2D for grey images; says what is wrong.
    """
    path = Path(folder).resolve()
    _check_config(path)
    from stardist.models import StarDist2D

    try:
        return StarDist2D(None, name=path.name, basedir=str(path.parent))
    except Exception as error:  # whatever Keras makes of foreign weights
        raise _wrong(path, f"its weights do not fit its config.json ({error})") from error


def _check_config(path: Path) -> None:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, f"config.json cannot be read ({error})") from error
    if not isinstance(config, dict) or "n_rays" not in config:
        raise _wrong(path, "config.json describes no StarDist model")
    if config.get("n_dim") != 2:
        raise _wrong(path, f"it is for {config.get('n_dim')} dimensions, not 2")
    if config.get("n_channel_in") != 1:
        raise _wrong(path, f"it takes {config.get('n_channel_in')} channels, and a movie has one")
    if not any(path.glob("*.h5")) and not any(path.glob("*.hdf5")):
        raise _wrong(path, "there are no weights (*.h5) in it")


def _wrong(path: Path, what: str) -> TaskInputError:
    return TaskInputError(
        f"{path} cannot be used: {what}",
        task=TASK,
        hint="model_name is the folder of a StarDist2D model for grey images, with config.json, "
        "weights_best.h5 and thresholds.json in it; a model of CellPose goes to CellPose",
    )


def segment(
    movie: NDArray[Any],
    model: Any,
    *,
    percent: tuple[float, float],
    prob_thresh: Optional[float],
    nms_thresh: Optional[float],
) -> NDArray[Any]:
    """Segment (T, Y, X) *movie* frame by frame; gives labels, uint16 or uint32."""
    labels: NDArray[Any] = np.zeros(movie.shape, np.uint16)
    for index, frame in enumerate(movie):
        image = scaled(frame, percent)
        if image is None:
            continue
        found, _ = model.predict_instances(
            image,
            axes="YX",
            prob_thresh=prob_thresh,
            nms_thresh=nms_thresh,
            n_tiles=tuple(-(-length // TILE_PX) for length in image.shape),
            show_tile_progress=False,
        )
        if found.max() > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint32)
        labels[index] = found
    return labels


def scaled(frame: NDArray[Any], percent: tuple[float, float]) -> Optional[NDArray[np.float32]]:
    """Give *frame* with its two percentiles at 0 and 1; ``None`` where there is nothing to see."""
    image: NDArray[np.float32] = np.array(frame, np.float32)
    finite = np.isfinite(image)
    if not finite.any():
        return None
    low, high = np.percentile(image[finite], percent)
    if not high > low:
        low, high = image[finite].min(), image[finite].max()  # a few bright pixels
    if not high > low:
        return None
    image[~finite] = low
    image -= np.float32(low)
    image /= np.float32(high - low)
    return image
