"""StarDist in its container, on a model that the image trains itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import services_support as services

from cyto.segmentation.stardist import StarDist
from cyto.simulation import Assay, simulate_assay

sys.path.append(str(Path(__file__).parents[1] / "science"))
from scores import Score, score

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

SCRIPT = """
import sys
import numpy as np
from cyto.segmentation.stardist import StarDist
label = StarDist(model_name=sys.argv[1])({"image": np.load(sys.argv[2])})["label"]
np.save(sys.argv[3], label)
"""


@pytest.fixture(scope="module")
def assay() -> Assay:
    return simulate_assay(frames=3, seed=5)


@pytest.fixture(scope="module")
def labels(assay: Assay, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Give what plain Python in the image finds, without any runner."""
    work = tmp_path_factory.mktemp("work")
    np.save(work / "movie.npy", assay.cancer)
    model = services.model("stardist")
    args = ["-c", SCRIPT, f"/model/{model.name}", "/scratch/movie.npy", "/scratch/label.npy"]
    services.python_in("stardist", args, model=model.parent, scratch=work)
    found: np.ndarray = np.load(work / "label.npy")
    return found


def test_finds_the_simulated_cells(assay: Assay, labels: np.ndarray) -> None:
    assert labels.dtype == np.uint16
    assert labels.shape == assay.cancer_labels.shape
    assert sum(map(score, assay.cancer_labels, labels), Score(0, 0, 0)).f1 >= 0.9


def test_docker_gives_what_plain_python_gives(assay: Assay, labels: np.ndarray, mark: str) -> None:
    config = {
        "type": "container",
        "runner": "docker",
        "image": services.image("stardist"),
        "env": {services.MARK: mark},
    }
    task = StarDist(model_name=str(services.model("stardist")), execution_config=config)
    there = task({"image": assay.cancer})["label"]
    assert there.dtype == labels.dtype
    np.testing.assert_array_equal(there, labels)
