"""The simulated assay: its truth must be exact, since everything else is measured by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from cyto.errors import ParameterError
from cyto.simulation import simulate_assay, write_sample
from cyto.simulation.sample import SampleFolderError


@pytest.fixture(scope="module")
def assay():
    return simulate_assay()


def test_default_shapes_and_types(assay):
    for movie in [*assay.images.values(), *assay.labels.values()]:
        assert movie.shape == (24, 256, 256)
        assert movie.dtype == np.uint16


def test_default_holds_every_event(assay):
    assert (assay.deaths.killer > 0).any()
    assert (assay.deaths.killer == -1).any()
    assert (assay.tracks.parent_track_id > 0).any()
    assert len(assay.contacts) > 20


@pytest.mark.parametrize("seed", range(4))
def test_every_cell_is_one_piece(seed):
    assay = simulate_assay(frames=30, seed=seed)
    for movie in assay.labels.values():
        for frame in movie:
            for i, place in enumerate(ndimage.find_objects(frame), 1):
                if place is not None:
                    assert ndimage.label(frame[place] == i, np.ones((3, 3)))[1] == 1


def test_tracks_are_what_the_labels_show(assay):
    rows = {(r.frame, r.track_id): r for r in assay.tracks.itertuples()}
    assert len(rows) == len(assay.tracks)
    seen = 0
    for kind, movie in assay.labels.items():
        for frame, labels in enumerate(movie):
            for i in np.unique(labels[labels > 0]):
                row = rows[frame, i]
                y, x = np.nonzero(labels == i)
                assert row.cell_type == kind
                assert (row.y, row.x) == pytest.approx((y.mean(), x.mean()))
                seen += 1
    assert seen == len(rows)


def test_contacts_are_what_the_labels_show(assay):
    found = set()
    for frame, (tcells, cancer) in enumerate(
        zip(assay.tcell_labels, assay.cancer_labels, strict=True)
    ):
        for i in np.unique(tcells[tcells > 0]):
            around = ndimage.binary_dilation(tcells == i, np.ones((3, 3)))
            found |= {(frame, i, j) for j in np.unique(cancer[around]) if j}
    assert set(assay.contacts.itertuples(index=False, name=None)) == found


def test_deaths_agree_with_tracks_and_contacts(assay):
    contacts = set(assay.contacts.itertuples(index=False, name=None))
    for death in assay.deaths.itertuples():
        life = assay.tracks[assay.tracks.track_id == death.track_id]
        assert life.alive[life.frame < death.frame].all()
        assert not life.alive[life.frame >= death.frame].any()
        if death.killer > 0:
            held = [(f, death.killer, death.track_id) for f in range(death.frame - 5, death.frame)]
            assert contacts.issuperset(held)
        else:
            assert not {c for c in contacts if c[0] == death.frame - 1 and c[2] == death.track_id}
    alive = assay.tracks.groupby("track_id").alive.all()
    assert set(alive.index[~alive]) == set(assay.deaths.track_id)


def test_daughters_begin_where_the_mother_ends(assay):
    spans = assay.tracks.groupby("track_id").frame.agg(["min", "max"])
    daughters = assay.tracks[assay.tracks.parent_track_id > 0].drop_duplicates("track_id")
    assert (daughters.groupby("parent_track_id").size() == 2).all()
    for row in daughters.itertuples():
        assert spans.loc[row.parent_track_id, "max"] == row.frame - 1
    lengths = assay.tracks.groupby("track_id").size()
    assert (lengths == spans["max"] - spans["min"] + 1).all()  # no gaps


def test_death_marker_rises_and_live_marker_fades(assay):
    for death in assay.deaths.itertuples():
        if death.frame > 18:
            continue
        at = [assay.cancer_labels[f] == death.track_id for f in (death.frame - 1, 23)]
        dark = [assay.death[f][m].mean() for f, m in zip((death.frame - 1, 23), at, strict=True)]
        live = [assay.cancer[f][m].mean() for f, m in zip((death.frame - 1, 23), at, strict=True)]
        assert dark[1] > dark[0] + 50
        assert live[1] < live[0]


def test_a_seed_gives_the_same_bytes(tmp_path):
    paths = [write_sample(tmp_path / name, simulate_assay(frames=3, seed=7)) for name in "ab"]
    assert len(paths[0]) == 9
    for one, other in zip(*paths, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    other_seed = simulate_assay(frames=3, seed=8)
    assert not np.array_equal(tifffile.imread(paths[0][0]), other_seed.tcell)


def test_files_can_be_mapped_and_know_their_scale(tmp_path):
    assay = simulate_assay(frames=2, size=(64, 96), tcells=2, cancer_cells=2, pixel_size_um=0.5)
    write_sample(tmp_path / "sample", assay)
    for name, movie in assay.images.items():
        path = tmp_path / "sample" / f"{name}.ome.tif"
        np.testing.assert_array_equal(tifffile.memmap(path, mode="r"), movie)
        with tifffile.TiffFile(path) as file:
            pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
            assert file.series[0].axes == "TYX"
        assert pixels["PhysicalSizeX"] == pixels["PhysicalSizeY"] == 0.5
        assert pixels["TimeIncrement"] == 60.0
        assert pixels["Channel"]["Name"] == name
    tracks = pd.read_csv(tmp_path / "sample" / "truth" / "tracks.csv")
    pd.testing.assert_frame_equal(tracks, assay.tracks, check_dtype=False)


def test_an_earlier_sample_is_replaced_and_nothing_else(tmp_path):
    assay = simulate_assay(frames=1, size=(64, 64), tcells=1, cancer_cells=1)
    write_sample(tmp_path / "sample", assay)
    write_sample(tmp_path / "sample", assay)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years of it")
    with pytest.raises(SampleFolderError, match="is not empty"):
        write_sample(tmp_path / "work", assay)
    assert [p.name for p in (tmp_path / "work").iterdir()] == ["thesis.txt"]


def test_no_cells_single_frame_and_other_shapes():
    empty = simulate_assay(frames=1, size=(32, 57), tcells=0, cancer_cells=0)
    assert empty.tcell.shape == (1, 32, 57)
    assert not empty.cancer_labels.any()
    assert list(empty.tracks.columns)[:3] == ["track_id", "parent_track_id", "frame"]
    assert empty.tracks.dtypes.equals(simulate_assay(frames=1).tracks.dtypes)
    assert len(empty.contacts) == len(empty.deaths) == 0


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ({"frames": 0}, "at least 1"),
        ({"size": (8, 256)}, "at least 32"),
        ({"tcells": -1}, "at least 0"),
        ({"cancer_cells": 500}, "at most 7"),
        ({"pixel_size_um": 0.0}, "more than 0"),
    ],
)
def test_bad_numbers(bad, word):
    with pytest.raises(ParameterError, match=word):
        simulate_assay(**bad)
