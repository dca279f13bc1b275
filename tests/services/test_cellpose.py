"""CellPose in its containers, on a model that the image trains itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import models
import numpy as np
import pytest
import services_support as services

from cyto.errors import TaskFailedError
from cyto.segmentation.cellpose import CellPose

pytestmark = [pytest.mark.cellpose, pytest.mark.docker, pytest.mark.timeout(900)]

PARAMS = {"diameter": 22, "cellprob_thresh": -1}
SCRIPT = """
import sys
import numpy as np
from cyto.segmentation.cellpose import CellPose
label = CellPose(model_type=sys.argv[1], **{params})({{"image": np.load(sys.argv[2])}})["label"]
np.save(sys.argv[3], label)
"""


def python_in(image: str, args: Sequence[str], **mounts: Path) -> None:
    """Run plain Python inside the image, as somebody who has never heard of our runners would."""
    binds = [
        part
        for name, path in {"code/cyto": services.ROOT / "cyto", **mounts}.items()
        for part in ("--volume", f"{path}:/{name}")
    ]
    user = f"{os.getuid()}:{os.getgid()}"
    subprocess.run(
        [services.DOCKER, "run", "--rm", "--network", "none", "--user", user, *binds, "--env",
         "PYTHONPATH=/code", "--env", "HOME=/tmp", "--workdir", "/tmp", image, "python3", *args],
        check=True, capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="session")
def model() -> Path:
    """Give a tiny model; trained once in the image, a minute, and kept between test runs."""
    image = services.image("cellpose")
    base = services.docker("image", "inspect", "--format", "{{.RootFS.Layers}}", image)
    kept = models.model_cache() / f"image-{models.recipe_key(base.rpartition(' ')[0])}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        mounts = {"recipe.py": models.RECIPE, "out": kept.parent}
        python_in(image, ["/recipe.py", f"/out/{kept.name}"], **mounts)
    return kept


@pytest.fixture(scope="session")
def labels(model: Path, movie: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Give what plain Python in the image finds, without any runner."""
    work = tmp_path_factory.mktemp("work")
    np.save(work / "movie.npy", movie)
    script = SCRIPT.format(params=PARAMS)
    args = ["-c", script, f"/model/{model.name}", "/scratch/movie.npy", "/scratch/label.npy"]
    python_in(services.image("cellpose"), args, model=model.parent, scratch=work)
    found: np.ndarray = np.load(work / "label.npy")
    assert all(frame.max() > 3 for frame in found), "the model finds cells"
    return found


def test_docker_gives_what_plain_python_gives(
    model: Path, movie: np.ndarray, labels: np.ndarray, mark: str
) -> None:
    config = {"type": "container", "runner": "docker", "image": services.image("cellpose")}
    there = CellPose(model_type=str(model), **PARAMS, execution_config=config)({"image": movie})
    assert there["label"].dtype == labels.dtype
    np.testing.assert_array_equal(there["label"], labels)


@pytest.mark.apptainer
def test_apptainer_gives_what_plain_python_gives(
    model: Path, movie: np.ndarray, labels: np.ndarray, mark: str
) -> None:
    config = {"type": "container", "runner": "apptainer", "image": services.image("cellpose-sif")}
    there = CellPose(model_type=str(model), **PARAMS, execution_config=config)({"image": movie})
    assert there["label"].dtype == labels.dtype
    np.testing.assert_array_equal(there["label"], labels)


@pytest.mark.skipif(not models.have_cellpose(), reason="cellpose is not installed on the host")
def test_the_host_gives_what_the_image_gives(
    model: Path, movie: np.ndarray, labels: np.ndarray
) -> None:
    here = CellPose(model_type=str(model), **PARAMS)({"image": movie})["label"]
    np.testing.assert_array_equal(here, labels)


def test_the_seeds_example_on_a_registered_name(
    model: Path, movie: np.ndarray, labels: np.ndarray, mark: str, tmp_path: Path
) -> None:
    folder = tmp_path / "my models"
    folder.mkdir()
    (folder / "cyto2torch_0").write_bytes(model.read_bytes())
    config = {"type": "container", "runner": "docker", "image": services.image("cellpose")}
    task = CellPose(
        model_type="cyto2", models_folder=str(folder), **PARAMS, execution_config=config
    )
    np.testing.assert_array_equal(task({"image": movie})["label"], labels)


@pytest.mark.parametrize("kind", ["junk file", "cut-off model", "folder"])
def test_docker_says_what_a_wrong_model_is(
    kind: str, model: Path, movie: np.ndarray, mark: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "a model"
    words = "it is a folder, and seems to be a model of StarDist"
    if kind == "folder":
        wrong.mkdir()
        (wrong / "config.json").write_text('{"n_rays": 32}')
    elif kind == "junk file":
        wrong.write_text("hello world")
        words = "it seems to be a text file"
    else:
        wrong.write_bytes(model.read_bytes()[:-500])
        words = "it seems to be a damaged file"
    config = {"type": "container", "runner": "docker", "image": services.image("cellpose")}
    with pytest.raises(TaskFailedError) as caught:
        CellPose(model_type=str(wrong), execution_config=config)({"image": movie})
    text = str(caught.value)
    assert caught.value.reason == "exception"
    for part in ("'model_type'", "cannot be used", words, "a model of StarDist goes to StarDist"):
        assert part in text
    for library in ("UnpicklingError", "KeyError", "weights_only"):
        assert library not in text
