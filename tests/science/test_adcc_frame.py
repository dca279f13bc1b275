"""A real frame of a killing assay, with nuclei that experts outlined.

``pytest -s tests/science/test_adcc_frame.py`` prints who lives, and who touches whom.
"""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scores import score

from cyto.contact.contacts import CellContacts
from cyto.postprocessing.death import CellDeath
from cyto.segmentation.watershed import Watershed
from cyto.tabulation.regions import RegionFeatures

PIXEL_UM = 0.3112
DEAD, LIVE = 2, 3
"""Channels of the frame: propidium iodide, which enters dead nuclei only; stain of live nuclei."""
NUCLEI = {"diameter_px": 48, "smoothing_px": 2, "threshold_factor": 0.8}
"""For nuclei of 15 µm at 0.31 µm per px, as in the shipped pipeline."""


@pytest.fixture(scope="module")
def channels(shared_data):
    return tifffile.imread(shared_data / "adcc_frame" / "frame.tif")


@pytest.fixture(scope="module")
def frame(channels):
    return channels[LIVE]


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
        {"label": truth.astype(np.uint16), "image": frame, "pixel_size_um": PIXEL_UM}
    )["dataframe"]
    assert len(table) == 48
    assert 150 < table.area_um2.median() < 250
    inside = frame[truth > 0].astype(float)
    assert table["sum"].sum() == pytest.approx(inside.sum())


def fates(channels, truth):
    """Call each nucleus from both stains: dead with propidium iodide, else live if it is stained.

    Brightness is counted from the median outside all nuclei. `CellDeath` finds the level of
    propidium iodide; that of the live stain is six robust deviations of the background, since
    halos, and nuclei that nobody outlined, are among the pixels outside.
    """
    dead, live = channels[DEAD], channels[LIVE]
    data = {"label": truth.astype(np.uint16), "dead": dead, "live": live, "pixel_size_um": PIXEL_UM}
    table = RegionFeatures(shape=False)(data)["dataframe"]
    table["track_id"] = table["label"]  # one frame: a cell is its own track
    found = CellDeath(column="dead_mean", confirm_frames=1)({"dataframe": table})
    cells, outside = found["dataframe"], truth == 0
    for name, image in (("dead", dead), ("live", live)):
        cells[f"{name}_contrast"] = cells[f"{name}_mean"] - np.median(image[outside])
    background = live[outside].astype(float)
    deviation = 1.4826 * np.median(np.abs(background - np.median(background)))
    stained = cells["live_contrast"] > 6 * deviation
    cells["call"] = np.select([~cells["alive"], stained], ["dead", "live"], "unclear")
    columns = ["label", "area_um2", "live_contrast", "dead_contrast", "alive_probability", "call"]
    return cells[columns], found["levels"]


def test_fate_of_the_expert_nuclei(channels, truth):
    table, levels = fates(channels, truth)
    print(f"\nlevels of propidium iodide: {levels}")
    print(table.round(2).to_string(index=False))
    print(table["call"].value_counts().to_string())
    assert table["label"].tolist() == np.unique(truth)[1:].tolist()
    assert len(table) == 48
    assert ((table["alive_probability"] < 0.5) == (table["call"] == "dead")).all()
    # early in the assay: no nucleus holds the dye, all hold the stain of live ones
    assert (table["call"] == "live").all()
    assert table["live_contrast"].min() > 1000
    assert table["dead_contrast"].max() < 6 * levels["sd"]


@pytest.mark.parametrize("brighter", [20, 60, 400])
def test_nuclei_that_take_up_the_dye_are_called_dead(channels, truth, brighter):
    chosen = np.unique(truth)[1::6]
    dyed = channels.copy()
    dyed[DEAD][np.isin(truth, chosen)] += np.uint16(brighter)
    table, _ = fates(dyed, truth)
    assert table.loc[table["call"] == "dead", "label"].tolist() == chosen.tolist()


def test_nuclei_with_neither_stain_are_not_called(channels, truth):
    bare = channels.copy()
    bare[LIVE][truth == 145] = int(np.median(channels[LIVE][truth == 0]))
    table, _ = fates(bare, truth)
    assert table.loc[table["call"] != "live", ["label", "call"]].values.tolist() == [
        [145, "unclear"]
    ]


def test_contacts_of_the_expert_nuclei(channels, truth):
    data = {"nucleus": truth.astype(np.uint16), "pixel_size_um": PIXEL_UM}
    pairs = CellContacts(max_distance_um=5)(data)["dataframe"]
    call = fates(channels, truth)[0].set_index("label")["call"]
    pairs = pairs.assign(a_call=pairs["a"].map(call), b_call=pairs["b"].map(call))
    shown = ["a", "a_call", "b", "b_call", "relation", "contact_length_um", "distance_um"]
    print(f"\n{pairs[shown].round(2).to_string(index=False)}")
    touching = pairs[pairs["relation"] == "touch"]
    assert set(zip(touching["a"], touching["b"], strict=True)) == neighbours(truth)
    assert (pairs["distance_um"] <= 5).all()
    assert (touching["contact_length_um"] > 0).all()
    assert not pairs[["a_call", "b_call"]].isna().any(axis=None)


def neighbours(labels):
    """Look at each pixel's eight neighbours, one by one."""
    framed, found = np.pad(labels.astype(int), 1), set()
    for y, x in np.argwhere(framed):
        for other in np.unique(framed[y - 1 : y + 2, x - 1 : x + 2]):
            if other and other != framed[y, x]:
                found.add((min(framed[y, x], other), max(framed[y, x], other)))
    return found
