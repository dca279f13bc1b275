"""KillAttribution against the simulation's killers, a slow version, and input that is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto.contact.contacts import CellContacts
from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing.death import CellDeath
from cyto.postprocessing.kills import KillAttribution
from cyto.simulation import simulate_assay
from cyto.tabulation.regions import RegionFeatures

SCALE = {"pixel_size_um": 0.65, "frame_interval_s": 60.0}


def kill(deaths, contacts, data=None, **params):
    return KillAttribution(**params)({"deaths": deaths, "contacts": contacts, **(data or {})})


def table(names, *rows):
    return pd.DataFrame(rows, columns=names.split()).astype("int64")


def contacts_of(assay, **params):
    movies = {"tcell": assay.tcell_labels, "cancer": assay.cancer_labels}
    return CellContacts(**params)({**movies, **SCALE})["dataframe"]


@pytest.fixture(scope="module")
def assays():
    return [
        simulate_assay(frames=36, size=(220, 256), tcells=16, cancer_cells=16, seed=seed)
        for seed in range(5)
    ]


def test_finds_the_true_killers(assays):
    killed = 0
    for assay in assays:
        found = kill(assay.deaths, contacts_of(assay), effectors="tcell")["dataframe"]
        truth = assay.deaths.set_index("track_id").killer
        killed += (truth > 0).sum()
        assert found.set_index("track_id").killer.to_dict() == truth.to_dict()
    assert killed > 25


def test_from_images_to_killers(assays):
    """Deaths as found in the death channel, not as simulated."""
    right = total = 0
    for assay in assays:
        features = RegionFeatures(shape=False)(
            {"label": assay.cancer_labels, "death": assay.death, **SCALE}
        )["dataframe"].rename(columns={"label": "track_id"})
        deaths = CellDeath()({"dataframe": features, **SCALE})["deaths"]
        found = kill(deaths, contacts_of(assay), SCALE, effectors="tcell")["dataframe"]
        killer = found.set_index("track_id").killer
        truth = assay.deaths.set_index("track_id").killer
        total += len(truth)
        right += (killer.reindex(truth.index) == truth).sum()
        np.testing.assert_allclose(found.t_s, found.frame * 60.0)
    assert right >= 0.95 * total


def reference(deaths, contacts, lag, least, gap):
    """Walk back from each death."""
    found = {}
    for victim, death in deaths[["track_id", "frame"]].itertuples(index=False):
        best = (0, 0, 0)
        for effector in contacts[contacts.b == victim].a.unique():
            frames = contacts[(contacts.a == effector) & (contacts.b == victim)].frame
            met = sorted(frame for frame in frames if frame < death)
            if not met or death - met[-1] > lag:
                continue
            run = [met.pop()]
            while met and run[-1] - met[-1] - 1 <= gap:
                run.append(met.pop())
            if len(run) >= least:
                best = max(best, (len(run), run[0], -effector))
        found[victim] = -best[2] if best[0] else -1
    return found


@pytest.mark.parametrize(("lag", "least", "gap"), [(1, 1, 0), (3, 1, 1), (5, 4, 2)])
def test_equals_the_slow_version(assays, lag, least, gap):
    for seed, assay in enumerate(assays):
        contacts = contacts_of(assay)
        contacts = contacts[np.random.default_rng(seed).random(len(contacts)) < 0.7]
        found = kill(
            assay.deaths,
            contacts.sample(frac=1, random_state=seed),
            effectors="tcell",
            max_lag_frames=lag,
            min_contact_frames=least,
            max_gap_frames=gap,
        )["dataframe"]
        expected = reference(assay.deaths, contacts, lag, least, gap)
        assert found.set_index("track_id").killer.to_dict() == expected


def test_by_hand():
    deaths = table("track_id frame", (7, 5), (8, 5), (9, 2))
    contacts = table(
        "frame a b",
        *((frame, 1, 7) for frame in (0, 2, 3, 4, 5, 6)),  # after the death does not count
        *((frame, 2, 7) for frame in (3, 4)),
        (3, 1, 8),  # too early
        (2, 2, 9),  # in the frame of death only
    )
    found = kill(deaths, contacts, {"frame_interval_s": 30.0})
    rows = found["dataframe"].set_index("track_id")
    assert rows.killer.to_dict() == {9: -1, 7: 1, 8: -1}
    assert rows.loc[7, ["contact_frames", "lag_frames", "candidates"]].tolist() == [3, 1, 2]
    assert (rows.loc[7, "share"], rows.loc[7, "contact_s"]) == (0.6, 90.0)
    assert rows.loc[8, ["contact_frames", "lag_frames", "candidates"]].tolist() == [0, -1, 0]
    candidates = found["candidates"]
    assert candidates.killer.tolist() == [1, 2]
    assert candidates["rank"].tolist() == [1, 2]
    assert candidates.total_contact_frames.tolist() == [4, 2]
    assert candidates.start_frame.tolist() == [2, 3]
    assert candidates.end_frame.tolist() == [4, 4]
    assert candidates.lag_s.tolist() == [30.0, 30.0]
    effectors = found["effectors"].set_index("track_id")
    assert effectors.kills.to_dict() == {1: 1, 2: 0}
    assert effectors.cells_met.to_dict() == {1: 2, 2: 2}
    assert effectors.first_kill_frame.to_dict() == {1: 5, 2: -1}


def test_kills_per_effector(assays):
    assay = assays[0]
    tracks = assay.tracks[assay.tracks.cell_type == "tcell"]
    found = kill(assay.deaths, contacts_of(assay), {"tracks": tracks}, effectors="tcell")
    counts = assay.deaths[assay.deaths.killer > 0].killer.value_counts()
    effectors = found["effectors"].set_index("track_id")
    assert set(effectors.index) == set(tracks.track_id)
    assert effectors.kills[effectors.kills > 0].to_dict() == counts.to_dict()
    assert effectors.kills.sum() == (found["dataframe"].killer > 0).sum()


def test_either_order_of_populations(assays):
    assay = assays[1]
    forth = kill(assay.deaths, contacts_of(assay), effectors="tcell")
    movies = {"cancer": assay.cancer_labels, "tcell": assay.tcell_labels}
    turned = CellContacts()({**movies, **SCALE})["dataframe"]
    back = kill(assay.deaths, turned, effectors="tcell")
    for key, found in forth.items():
        pd.testing.assert_frame_equal(back[key], found)


def test_within_one_population():
    deaths = table("track_id frame", (2, 3), (5, 3))
    contacts = table("frame a b", (2, 2, 4), (2, 1, 5)).assign(a_type="c", b_type="c")
    found = kill(deaths, contacts)["dataframe"]
    assert found.killer.tolist() == [4, 1]


def test_distance(assays):
    assay = assays[2]
    near = contacts_of(assay, max_distance_px=4)
    usual = kill(assay.deaths, contacts_of(assay), effectors="tcell")
    for key, found in kill(assay.deaths, near, effectors="tcell").items():
        pd.testing.assert_frame_equal(found, usual[key])
    more = kill(assay.deaths, near, effectors="tcell", max_distance_px=4)
    assert len(more["candidates"]) > len(usual["candidates"])


def test_no_deaths_and_no_contacts_give_the_same_columns(assays):
    deaths, contacts = assays[0].deaths, contacts_of(assays[0])
    full = kill(deaths, contacts, SCALE, effectors="tcell")
    for some, others in ((deaths[:0], contacts), (deaths[:0], contacts[:0])):
        found = kill(some, others, SCALE, effectors="tcell")
        for key, expected in full.items():
            assert found[key].dtypes.equals(expected.dtypes), key
        assert len(found["dataframe"]) == 0
    alone = kill(deaths, contacts[:0], SCALE, effectors="tcell")["dataframe"]
    assert set(alone.killer) == {-1}
    assert alone.dtypes.equals(full["dataframe"].dtypes)


DEATHS = table("track_id frame", (1, 2))
TCELL = {"effectors": "tcell"}
TYPED = table("frame a b", (0, 1, 2)).assign(a_type="tcell", b_type="cancer")


@pytest.mark.parametrize(
    ("deaths", "contacts", "params", "key", "words"),
    [
        (
            table("track_id frame", (1, 2)),
            TYPED,
            {},
            "contacts",
            ["'cancer' and 'tcell'", "effectors"],
        ),
        (table("track_id frame", (1, 2)), TYPED, {"effectors": "tcel"}, "contacts", ["'tcell'?"]),
        (table("track_id frame", (1, 2), (1, 3)), TYPED, {}, "deaths", ["track_id 1"]),
        (table("track_id", (1,)), TYPED, {}, "deaths", ["no column 'frame'"]),
        (
            table("track_id frame", (1, 2)),
            pd.concat([TYPED, TYPED]),
            {"effectors": "tcell"},
            "contacts",
            ["more than one row"],
        ),
        (
            table("track_id frame", (1, 2)),
            TYPED,
            {"max_distance_px": 2},
            "contacts",
            ["distance_px", "CellContacts"],
        ),
        (DEATHS.assign(frame="a"), TYPED, TCELL, "deaths", ["'frame'", "numbers are needed"]),
        (DEATHS.assign(frame=np.nan), TYPED, TCELL, "deaths", ["nan", "'frame', row 0"]),
        (DEATHS.assign(track_id="q"), TYPED, TCELL, "deaths", ["'track_id'", "numbers"]),
        (DEATHS, TYPED.assign(frame="z"), TCELL, "contacts", ["'frame'", "numbers"]),
        (DEATHS, TYPED.assign(b="z"), TCELL, "contacts", ["'b'", "numbers"]),
        (DEATHS, TYPED.assign(distance_px="z"), TCELL, "contacts", ["'distance_px'", "numbers"]),
    ],
)
def test_bad_input(deaths, contacts, params, key, words):
    with pytest.raises(TaskInputError) as caught:
        kill(deaths, contacts, **params)
    assert (caught.value.task, caught.value.key) == ("KillAttribution", key)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("ids", [["z"], [np.nan]])
def test_bad_tracks(ids):
    with pytest.raises(TaskInputError, match="'track_id'") as caught:
        kill(DEATHS, TYPED, {"tracks": pd.DataFrame({"track_id": ids})}, **TCELL)
    assert (caught.value.task, caught.value.key) == ("KillAttribution", "tracks")


def test_bad_frame_interval():
    with pytest.raises(TaskInputError, match="above 0, received 0") as caught:
        kill(DEATHS, TYPED, {"frame_interval_s": 0}, **TCELL)
    assert caught.value.key == "frame_interval_s"


@pytest.mark.parametrize(
    "params", [{"max_lag_frames": 0}, {"min_contact_frames": 0}, {"max_gap_frames": -1}]
)
def test_bad_parameters(params):
    with pytest.raises(ParameterError):
        KillAttribution(**params)
