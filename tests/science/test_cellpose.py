"""CellPose with a small model that is trained here, on simulated cells."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from models import have_cellpose, train_cellpose
from scores import Score, score

from cyto.errors import ParameterError, TaskInputError
from cyto.segmentation.cellpose import CellPose
from cyto.simulation import simulate_assay

absent = pytest.mark.skipif(
    not have_cellpose(), reason="cellpose is not installed here: pip install 'pycyto[cellpose]'"
)


def needs_cellpose(test):
    """Mark *test* as one that runs CellPose, and skip it where there is none."""
    return pytest.mark.cellpose(absent(test))


def test_seed_spelling_is_accepted_without_cellpose():
    task = CellPose(
        model_type="cyto2", cellprob_thresh=-1, gpu=True, channels=[0, 0],
        batch_size=8, diameter=25, verbose=True,
    )  # fmt: skip
    assert task.params["diameter"] == 25.0
    assert CellPose().params == {
        "model_type": "cyto2", "cellprob_thresh": 0.0, "flow_threshold": 0.4, "channels": [0, 0],
        "batch_size": 8, "diameter": 30.0, "gpu": False, "verbose": False, "models_folder": None,
        "download": False,
    }  # fmt: skip
    assert "torch" not in sys.modules or have_cellpose()


@pytest.mark.parametrize(
    "bad", [{"channels": [0]}, {"channels": [0, 4]}, {"batch_size": 0}, {"diameter": -3},
            {"download": True, "models_folder": "models"}],
)  # fmt: skip
def test_bad_parameters(bad):
    with pytest.raises(ParameterError):
        CellPose(**bad)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return train_cellpose(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def assay():
    return simulate_assay(frames=3, seed=5)


@needs_cellpose
def test_finds_cells(model, assay):
    labels = CellPose(model_type=str(model), diameter=22)({"image": assay.cancer})["label"]
    assert labels.dtype == np.uint16
    assert labels.shape == assay.cancer.shape
    assert sum(map(score, assay.cancer_labels, labels), Score(0, 0, 0)).f1 >= 0.8


@needs_cellpose
@pytest.mark.parametrize("diameter", [None, 0])
def test_model_knows_a_diameter(model, assay, diameter):
    task = CellPose(model_type=str(model), diameter=diameter)
    found = score(assay.cancer_labels[0], task({"image": assay.cancer[0]})["label"][0])
    assert found.f1 >= 0.8


@needs_cellpose
def test_same_bits_again_and_frame_by_frame(model, assay):
    task = CellPose(model_type=str(model), diameter=22)
    whole = task({"image": assay.cancer})["label"]
    parts = [task({"image": frame})["label"] for frame in assay.cancer]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@needs_cellpose
def test_thresholds_reach_cellpose(model, assay):
    tight = CellPose(model_type=str(model), diameter=22, cellprob_thresh=3)
    loose = CellPose(model_type=str(model), diameter=22)
    areas = [(task({"image": assay.cancer[0]})["label"] > 0).sum() for task in (tight, loose)]
    assert areas[0] < areas[1]


@needs_cellpose
def test_empty_frame_and_small_odd_shape(model):
    movie = np.zeros((2, 33, 47), np.uint8)
    assert not CellPose(model_type=str(model))({"image": movie})["label"].any()


@needs_cellpose
def test_standard_width_loads_too(tmp_path, assay):
    from cellpose.resnet_torch import CPnet

    from cyto.segmentation import _cellpose

    path = tmp_path / "wide"
    CPnet([2, 32, 64, 128, 256], 3, sz=3).save_model(path)
    loaded = _cellpose.load_model(str(path), 0, False)
    assert loaded.net.nbase == [2, 32, 64, 128, 256]
    CellPose(model_type=str(path))({"image": assay.cancer[0, :64, :64]})


@needs_cellpose
def test_absent_weights_are_not_fetched(tmp_path, assay):
    task = CellPose(model_type="cyto2", models_folder=str(tmp_path))
    with pytest.raises(TaskInputError) as caught:
        task({"image": assay.cancer[0]})
    text = str(caught.value)
    assert str(tmp_path) in text
    for word in ("cyto2torch_0", "CELLPOSE_LOCAL_MODELS_PATH", "download: true"):
        assert word in text
    assert not list(tmp_path.iterdir())


@needs_cellpose
def test_registered_name_is_found_in_the_folder(tmp_path, model, assay):
    (tmp_path / "cyto2torch_0").write_bytes(model.read_bytes())
    named = CellPose(model_type="cyto2", models_folder=str(tmp_path), diameter=22)
    direct = CellPose(model_type=str(model), diameter=22)
    data = {"image": assay.cancer[0]}
    np.testing.assert_array_equal(named(data)["label"], direct(data)["label"])


@needs_cellpose
@pytest.mark.parametrize(
    ("name", "word"), [("cito2", "'cyto2'"), ("no/such/model", "no model file")]
)
def test_unknown_models(name, word, assay):
    with pytest.raises(TaskInputError, match=word):
        CellPose(model_type=name)({"image": assay.cancer[0]})


@needs_cellpose
def test_verbose_speaks(model, assay, capfd):
    data = {"image": assay.cancer[0]}
    CellPose(model_type=str(model), diameter=22)(data)
    assert "cellpose:" not in capfd.readouterr().err
    CellPose(model_type=str(model), diameter=22, verbose=True)(data)
    assert "cellpose:" in capfd.readouterr().err
