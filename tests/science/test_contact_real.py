"""Contacts and fate on the real frame of a killing assay, as experts outlined it."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy.spatial import cKDTree

from cyto.contact.contacts import CellContacts
from cyto.postprocessing.triangulation import CellTriangulation
from cyto.tabulation.regions import RegionFeatures

PIXEL_UM = 0.3112


@pytest.fixture(scope="module")
def nuclei(shared_data):
    labels = tifffile.imread(shared_data / "adcc_frame" / "nuclei_labels.tif")
    return labels.astype(np.uint16)


def test_contacts_of_the_expert_nuclei(nuclei):
    found = CellContacts(max_distance_um=5)({"nucleus": nuclei, "pixel_size_um": PIXEL_UM})
    table = found["dataframe"]
    places = {int(i): np.argwhere(nuclei == i) for i in np.unique(nuclei)[1:]}
    assert len(found["network"]) == len(places) == 48
    trees = {i: cKDTree(at) for i, at in places.items()}
    limit = 5 / PIXEL_UM
    expected = {}
    for a, at in places.items():
        for b in (b for b in places if b > a):
            nearest = trees[b].query(at, distance_upper_bound=limit + 1)[0].min()
            if nearest <= limit:
                expected[a, b] = 0.0 if nearest < 2 else nearest
    got = dict(zip(zip(table.a, table.b, strict=True), table.distance_px, strict=True))
    assert got.keys() == expected.keys()
    for pair, distance in expected.items():
        assert got[pair] == pytest.approx(distance)
    np.testing.assert_allclose(table.distance_um, table.distance_px * PIXEL_UM)


def test_neighbours_of_the_expert_nuclei(nuclei):
    features = RegionFeatures(shape=False)({"label": nuclei, "pixel_size_um": PIXEL_UM})
    graph = CellTriangulation()({**features, "pixel_size_um": PIXEL_UM})["network"]
    assert graph.number_of_nodes() == 48
    assert 48 < graph.number_of_edges() <= 3 * 48 - 6
