"""CellPose with a small model that is trained here, on simulated cells."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from models import have_cellpose, train_cellpose
from scores import Score, score

from cyto.errors import ParameterError, TaskInputError, UnavailableError
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


def refusal(path):
    """Give the words with which CellPose refuses the model at *path*; they say what to do."""
    with pytest.raises(TaskInputError) as caught:
        CellPose(model_type=str(path))({"image": np.zeros((8, 8), np.uint8)})
    assert (caught.value.task, caught.value.key) == ("CellPose", "model_type")
    text = str(caught.value)
    assert str(path) in text
    assert "a model of StarDist goes to StarDist" in text
    assert "weights_only" not in text, "advice for programmers, and dangerous"
    return text


@needs_cellpose
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"hello world", "a text file"),
        (b'{"n_rays": 32}', "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (
            b"\x89HDF\r\n\x1a\n" + bytes(99),
            "an HDF5 file, such as the weights of Keras or StarDist",
        ),
        (b"\x93NUMPY\x01\0" + bytes(99), "a NumPy array, such as a size model"),
        (b"II*\0" + bytes(99), "a TIFF image"),
        (b"PK\x03\x04" + bytes(99), "a damaged file"),
        (bytes(range(256)), "no file of PyTorch"),
        (pickle.dumps({1, 2}), "a Python pickle"),
    ],
)
def test_file_that_is_no_weights(tmp_path, content, words):
    path = tmp_path / "model"
    path.write_bytes(content)
    assert words in refusal(path)


@needs_cellpose
def test_cut_off_model(tmp_path, model):
    path = tmp_path / "model"
    path.write_bytes(model.read_bytes()[:-500])
    assert "a damaged file" in refusal(path)


@needs_cellpose
def test_zip_archive_as_model(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("2D_demo/config.json", "{}")
    assert "a packed model of StarDist" in refusal(tmp_path / "model.zip")


@needs_cellpose
def test_torch_files_of_other_tools(tmp_path):
    import torch

    path = tmp_path / "model.pth"
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    for content, words in [
        (net, "such as a whole network"),
        ([1, 2], "with a list, not with weights"),
        (torch.zeros(3), "with a Tensor, not with weights"),
        ({}, "holds nothing"),
        ({"epoch": 3, "state_dict": net.state_dict()}, "among others epoch, state_dict"),
        (net.state_dict(), "another network's weights in PyTorch (0.weight, 0.bias, 1.weight, …)"),
        ({"net.encoder.conv1.weight": torch.zeros(2)}, "another network's weights"),
        ({"W2": torch.zeros(2)}, "CellPose 4"),
    ]:
        torch.save(content, path)
        assert words in refusal(path)


@needs_cellpose
@pytest.mark.parametrize("change", ["no output", "no dimensions", "other shape"])
def test_weights_that_do_not_fit(tmp_path, model, change):
    import torch

    state = torch.load(model, weights_only=True)
    if change == "no output":
        state = {name: value for name, value in state.items() if not name.startswith("output")}
    elif change == "no dimensions":
        state["downsample.down.res_down_0.proj.1.weight"] = torch.zeros(())
    else:
        state["output.2.bias"] = torch.zeros(7)
    torch.save(state, tmp_path / "model")
    assert "do not fit a network of CellPose 3" in refusal(tmp_path / "model")


@needs_cellpose
def test_transformer_is_taken_for_one(tmp_path, monkeypatch):
    import torch
    from cellpose import models

    from cyto.segmentation import _cellpose

    path = tmp_path / "model"
    names = [f"{key}weight" for key in _cellpose.TRANSFORMER_KEYS]
    torch.save(dict.fromkeys(names, torch.zeros(2)), path)
    monkeypatch.setattr(models, "CellposeModel", lambda **how: how)
    assert _cellpose.load_model(str(path), 1, False)["backbone"] == "transformer"

    def fails(**how):
        raise ImportError("no module of that name")

    monkeypatch.setattr(models, "CellposeModel", fails)
    with pytest.raises(UnavailableError, match="segmentation-models-pytorch"):
        _cellpose.load_model(str(path), 2, False)


@needs_cellpose
def test_too_little_memory_is_not_the_models_fault(model, monkeypatch):
    from cellpose import models

    from cyto.segmentation import _cellpose

    def fails(**how):
        raise MemoryError

    monkeypatch.setattr(models, "CellposeModel", fails)
    with pytest.raises(MemoryError):
        _cellpose.load_model(str(model), 1, False)


@needs_cellpose
def test_folder_as_model(tmp_path, monkeypatch):
    folder = tmp_path / "a model"
    folder.mkdir()
    assert "it is a folder, and a model of CellPose is one file" in refusal(folder)
    (folder / "config.json").write_text(json.dumps({"n_rays": 32}))
    assert "seems to be a model of StarDist" in refusal(folder)
    monkeypatch.chdir(tmp_path)
    assert "seems to be a model of StarDist" in refusal(Path("a model"))
    with pytest.raises(TaskInputError, match="it is a folder"):
        CellPose(model_type="a model", models_folder=str(tmp_path))(
            {"image": np.zeros((8, 8), np.uint8)}
        )


@needs_cellpose
def test_folder_named_like_a_registered_model(tmp_path, model, assay, monkeypatch):
    (tmp_path / "cyto2").mkdir()
    (tmp_path / "cyto2torch_0").write_bytes(model.read_bytes())
    monkeypatch.chdir(tmp_path)
    task = CellPose(model_type="cyto2", models_folder=str(tmp_path), diameter=22)
    assert task({"image": assay.cancer[0]})["label"].any()


@needs_cellpose
def test_verbose_speaks(model, assay, capfd):
    data = {"image": assay.cancer[0]}
    CellPose(model_type=str(model), diameter=22)(data)
    assert "cellpose:" not in capfd.readouterr().err
    CellPose(model_type=str(model), diameter=22, verbose=True)(data)
    assert "cellpose:" in capfd.readouterr().err
