"""A real frame of a killing assay, with nuclei that experts outlined."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scores import score

from cyto.segmentation.watershed import Watershed
from cyto.tabulation.regions import RegionFeatures

NUCLEI = {"diameter_px": 48, "smoothing_px": 2, "threshold_factor": 0.8}
"""For nuclei of 15 µm at 0.31 µm per px, as in the shipped pipeline."""


@pytest.fixture(scope="module")
def frame(shared_data):
    return tifffile.imread(shared_data / "adcc_frame" / "frame.tif")[3]


@pytest.fixture(scope="module")
def truth(shared_data):
    return tifffile.imread(shared_data / "adcc_frame" / "nuclei_labels.tif")


def test_finds_the_expert_nuclei(frame, truth):
    found = score(truth, Watershed(**NUCLEI)({"image": frame})["label"][0])
    assert found.true == 48
    assert found.matched >= 0.9 * found.true
    assert found.found - found.matched <= 0.1 * found.found


@pytest.mark.parametrize(
    "change",
    [{"diameter_px": 40}, {"diameter_px": 55}, {"smoothing_px": 1}, {"threshold_factor": 0.9}],
)
def test_is_not_tuned_to_a_point(frame, truth, change):
    found = score(truth, Watershed(**{**NUCLEI, **change})({"image": frame})["label"][0])
    assert found.matched >= 0.9 * found.true
    assert found.found - found.matched <= 0.1 * found.found


def test_features_of_the_expert_nuclei(frame, truth):
    table = RegionFeatures()(
        {"label": truth.astype(np.uint16), "image": frame, "pixel_size_um": 0.3112}
    )["dataframe"]
    assert len(table) == 48
    assert 150 < table.area_um2.median() < 250
    inside = frame[truth > 0].astype(float)
    assert table["sum"].sum() == pytest.approx(inside.sum())
