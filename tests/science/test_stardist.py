"""StarDist with a small model that is trained here, on simulated cells."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
from models import have_stardist, train_stardist
from scores import Score, score

from cyto.errors import ParameterError, TaskInputError
from cyto.segmentation import _stardist
from cyto.segmentation.stardist import StarDist
from cyto.simulation import simulate_assay

needs_stardist = pytest.mark.skipif(
    not have_stardist(), reason="stardist is not installed here: pip install 'pycyto[stardist]'"
)


def test_parameters_and_their_defaults():
    assert StarDist().params == {
        "model_name": "2D_versatile_fluo", "prob_thresh": None, "nms_thresh": None,
        "lp": 1.0, "up": 99.8, "models_folder": None, "download": False, "verbose": False,
    }  # fmt: skip
    assert StarDist(prob_thresh=0.479071, nms_thresh=0.3, lp=0, up=100).params["up"] == 100
    assert "tensorflow" not in sys.modules or have_stardist()


@pytest.mark.parametrize(
    "bad", [{"prob_thresh": 1.2}, {"nms_thresh": -0.1}, {"lp": 99, "up": 50}, {"up": 101},
            {"download": True, "models_folder": "models"}, {"model": "2D_demo"}],
)  # fmt: skip
def test_bad_parameters(bad):
    with pytest.raises(ParameterError):
        StarDist(**bad)


def test_percentiles_become_0_and_1():
    frame = np.random.default_rng(0).integers(100, 4000, (40, 50)).astype(np.uint16)
    low, high = np.percentile(frame, [1, 99.8])
    found = _stardist.scaled(frame, (1, 99.8))
    np.testing.assert_allclose(found, (frame - low) / (high - low), rtol=1e-5, atol=1e-5)
    holed = frame.astype(np.float32)
    holed[3, 4] = np.nan
    assert np.isfinite(_stardist.scaled(holed, (1, 99.8))).all()


@pytest.mark.parametrize("frame", [np.zeros((4, 5)), np.full((4, 5), np.nan), np.zeros((0, 5))])
def test_nothing_to_see(frame):
    assert _stardist.scaled(frame, (1, 99.8)) is None


def test_few_bright_pixels_are_not_nothing():
    frame = np.zeros((100, 100), np.uint8)
    frame[5, 5:8] = 9
    found = _stardist.scaled(frame, (1, 99))
    assert (found.min(), found.max()) == (0, 1)


@pytest.fixture
def no_models(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("STARDIST_MODELS", raising=False)
    return tmp_path


def test_absent_model_is_not_fetched(no_models):
    with pytest.raises(TaskInputError) as caught:
        _stardist.find_model("2D_versatile_fluo", None, download=False)
    text = str(caught.value)
    assert str(no_models / "keras") in text
    for word in ("python_2D_versatile_fluo.zip", "STARDIST_MODELS", "download: true"):
        assert word in text
    assert not list(no_models.iterdir())


@pytest.mark.parametrize("inner", ["2D_demo", "2D_demo/2D_demo_extracted"])
@pytest.mark.parametrize("how", ["parameter", "variable", "keras"])
def test_registered_name_is_found(no_models, monkeypatch, inner, how):
    folder = no_models / "keras" / "models" / "StarDist2D"
    (folder / inner).mkdir(parents=True)
    (folder / inner / "config.json").write_text("{}")
    if how != "keras":
        monkeypatch.setenv("KERAS_HOME", "/nowhere")
    if how == "variable":
        monkeypatch.setenv("STARDIST_MODELS", str(folder))
    given = str(folder) if how == "parameter" else None
    assert _stardist.find_model("2D_demo", given, download=False) == folder / inner


@pytest.mark.parametrize(
    ("name", "word"),
    [("2D_versatile_flou", "'2D_versatile_fluo'"), ("no/such/model", "does not exist")],
)
def test_unknown_models(no_models, name, word):
    with pytest.raises(TaskInputError, match=word):
        _stardist.find_model(name, None, download=False)


def test_a_file_is_no_model(tmp_path):
    path = tmp_path / "cyto2torch_0"
    path.write_bytes(b"PK")
    with pytest.raises(TaskInputError, match=r"is a file.*\n.*folder of a trained"):
        _stardist.find_model(str(path), None, download=False)


GOOD = {"n_rays": 32, "n_dim": 2, "n_channel_in": 1}


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (None, "config.json cannot be read"),
        ("{", "config.json cannot be read"),
        ("[1, 2]", "no StarDist model"),
        ({"nbase": [2, 32]}, "no StarDist model"),
        ({**GOOD, "n_dim": 3}, "3 dimensions"),
        ({**GOOD, "n_channel_in": 3}, "3 channels"),
        (GOOD, "no weights"),
    ],
)
def test_model_of_the_wrong_tool(tmp_path, config, word):
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(TaskInputError, match=word) as caught:
        _stardist.load_model(str(tmp_path), hash(word))
    assert str(tmp_path) in str(caught.value)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return train_stardist(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def assay():
    return simulate_assay(frames=3, seed=6)


@needs_stardist
def test_finds_cells(model):
    total = Score(0, 0, 0)
    for seed in (6, 7):
        assay = simulate_assay(frames=3, seed=seed)
        labels = StarDist(model_name=str(model))({"image": assay.cancer})["label"]
        assert labels.dtype == np.uint16
        assert labels.shape == assay.cancer.shape
        total = sum(map(score, assay.cancer_labels, labels), total)
    assert total.f1 >= 0.9


@needs_stardist
def test_same_bits_again_and_frame_by_frame(model, assay):
    task = StarDist(model_name=str(model))
    whole = task({"image": assay.cancer})["label"]
    parts = [task({"image": frame})["label"] for frame in assay.cancer]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    for frame in whole:
        ids = np.unique(frame)
        np.testing.assert_array_equal(ids, np.arange(len(ids)))


@needs_stardist
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_number_types_agree(model, assay, dtype):
    frame = assay.cancer[0] // 16
    task = StarDist(model_name=str(model))
    expected = task({"image": frame})["label"]
    np.testing.assert_array_equal(task({"image": frame.astype(dtype)})["label"], expected)


@needs_stardist
def test_brightness_does_not_matter(model, assay):
    task = StarDist(model_name=str(model))
    frame = assay.cancer[0].astype(np.float32)
    one, other = (task({"image": image})["label"][0] for image in (frame, frame / 65535))
    assert score(one, other).f1 == 1.0


@needs_stardist
def test_thresholds_reach_stardist(model, assay):
    numbers = [
        StarDist(model_name=str(model), prob_thresh=level)({"image": assay.cancer[0]})[
            "label"
        ].max()
        for level in (0.01, 1.0)
    ]
    assert numbers[0] > numbers[1] == 0


@needs_stardist
def test_empty_frames_and_small_odd_shapes(model, assay):
    task = StarDist(model_name=str(model))
    movie = np.zeros((2, 33, 47), np.uint8)
    assert not task({"image": movie})["label"].any()
    assert task({"image": movie[:0]})["label"].shape == (0, 33, 47)
    assert task({"image": assay.cancer[0, :35, :51]})["label"].shape == (1, 35, 51)
    assert task({"image": assay.cancer[0, :1, :3]})["label"].shape == (1, 1, 3)


@needs_stardist
def test_large_frames_are_seen_in_tiles(model, assay, monkeypatch):
    task = StarDist(model_name=str(model))
    whole = task({"image": assay.cancer[0]})["label"][0]
    monkeypatch.setattr(_stardist, "TILE_PX", 100)
    assert score(whole, task({"image": assay.cancer[0]})["label"][0]).f1 >= 0.95


@needs_stardist
def test_model_is_loaded_once(model, assay):
    _stardist.load_model.cache_clear()
    for frame in assay.cancer[:2]:
        StarDist(model_name=str(model))({"image": frame})
    assert _stardist.load_model.cache_info().misses == 1


@needs_stardist
def test_registered_name_serves(model, assay, tmp_path):
    shutil.copytree(model, tmp_path / "2D_versatile_fluo")
    named = StarDist(models_folder=str(tmp_path))({"image": assay.cancer[0]})["label"]
    direct = StarDist(model_name=str(model))({"image": assay.cancer[0]})["label"]
    np.testing.assert_array_equal(named, direct)


@needs_stardist
def test_weights_of_another_network_are_refused(model, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "unet_n_filter_base": 4}))
    with pytest.raises(TaskInputError, match="weights do not fit"):
        StarDist(model_name=str(other))({"image": np.eye(40)})


@needs_stardist
def test_verbose_speaks(model, assay, capfd):
    data = {"image": assay.cancer[0]}
    for verbose in (False, True):
        _stardist.load_model.cache_clear()
        StarDist(model_name=str(model), verbose=verbose)(data)
        captured = capfd.readouterr()
        assert captured.out == ""
        assert ("thresholds" in captured.err) == verbose
