"""ResultTable against the simulation's truth."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from cyto.contact.contacts import CellContacts
from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing.death import CellDeath
from cyto.postprocessing.kinematics import Kinematics
from cyto.postprocessing.result_table import ResultTable
from cyto.simulation import simulate_assay
from cyto.tabulation.regions import RegionFeatures

SCALE = {"pixel_size_um": 0.65, "frame_interval_s": 60.0}
FIRST = ["id", "track_id", "cell_type", "frame", "t_s", "x_um", "y_um", "z_um"]
LAST = [
    "alive_probability",
    "vel_x",
    "vel_y",
    "vel_z",
    "speed",
    "contact",
    "contact_cell_ids",
    "contact_count",
]


def result(data, **params):
    return ResultTable(**params)({**SCALE, **data})


def features(label, **images):
    table = RegionFeatures(shape=False)({"label": label, **images, **SCALE})["dataframe"]
    return table.assign(track_id=table.label)


@pytest.fixture(scope="module")
def assay():
    return simulate_assay(frames=24, size=(220, 256), tcells=16, seed=3)


@pytest.fixture(scope="module")
def parts(assay):
    cancer = features(assay.cancer_labels, cancer=assay.cancer, death=assay.death)
    movies = {"tcell": assay.tcell_labels, "cancer": assay.cancer_labels}
    return {
        "tcell": features(assay.tcell_labels, image=assay.tcell),
        "cancer": CellDeath()({"dataframe": cancer})["dataframe"],
        "contacts": CellContacts(max_distance_px=5)({**movies, **SCALE})["dataframe"],
    }


@pytest.fixture(scope="module")
def table(parts):
    return result(parts)["dataframe"]


def test_columns_and_dictionary(parts, table):
    assert list(table) == [*FIRST, "tcell_mean", "cancer_mean", "death_mean", *LAST]
    dictionary = result(parts)["dictionary"]
    assert list(dictionary) == ["column", "meaning", "unit"]
    assert dictionary.column.tolist() == list(table)
    assert (dictionary.meaning.str.len() > 5).all()
    units = dictionary.set_index("column").unit
    assert units[["t_s", "x_um", "speed", "death_mean"]].tolist() == ["s", "µm", "µm/s", "counts"]


def test_every_cell_is_there_once(assay, table):
    assert table.id.tolist() == list(range(1, len(table) + 1))
    keys = ["frame", "cell_type", "track_id"]
    truth = assay.tracks.sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(table[keys], truth[keys])
    np.testing.assert_allclose(table.x_um, truth.x * 0.65)
    np.testing.assert_allclose(table.y_um, truth.y * 0.65)
    np.testing.assert_allclose(table.t_s, truth.frame * 60.0)
    alive = table[table.cell_type == "cancer"].alive_probability >= 0.5
    assert (alive == truth[truth.cell_type == "cancer"].alive).mean() > 0.99
    assert table[table.cell_type == "tcell"].alive_probability.isna().all()


def test_contacts_are_the_truth(assay, table):
    both = [("tcell", "cancer"), ("cancer", "tcell")]
    expected = {}
    for mine, theirs in both:
        for (frame, cell), part in assay.contacts.groupby(["frame", mine]):
            expected[frame, mine, cell] = ";".join(map(str, sorted(part[theirs])))
    for row in table.itertuples():
        ids = expected.get((row.frame, row.cell_type, row.track_id), "")
        assert row.contact_cell_ids == ids
        assert row.contact == bool(ids)
        assert row.contact_count == len(list(filter(None, ids.split(";"))))
    assert table.contact.sum() > 20


def test_velocities_are_those_of_kinematics(parts, table):
    moved = Kinematics()({"dataframe": parts["cancer"], **SCALE})["dataframe"]
    mine = table[table.cell_type == "cancer"].sort_values(["track_id", "frame"])
    moved = moved.sort_values(["track_id", "frame"])
    for ours, theirs in {
        "vel_y": "vel_y_um_s",
        "vel_x": "vel_x_um_s",
        "speed": "speed_um_s",
    }.items():
        np.testing.assert_allclose(mine[ours], moved[theirs], rtol=1e-9, atol=1e-12)


def test_intensities(parts, table):
    plain = parts["tcell"].sort_values(["frame", "track_id"])["mean"]
    np.testing.assert_array_equal(table[table.cell_type == "tcell"].tcell_mean, plain)
    assert table[table.cell_type == "tcell"].death_mean.isna().all()
    more = result(parts, statistics=["mean", "sd"])["dataframe"]
    assert {"tcell_sd", "cancer_sd", "death_sd"} <= set(more)


def test_further_columns(parts):
    found = result(parts, columns=["area_um2", "alive"])
    assert list(found["dataframe"])[-2:] == ["area_um2", "alive"]
    assert found["dictionary"].unit.tolist()[-2:] == ["µm²", ""]


def test_without_contacts_and_without_fate(parts):
    found = result({"tcell": parts["tcell"]})["dataframe"]
    assert found.contact.isna().all()
    assert found.contact_count.isna().all()
    assert found.alive_probability.isna().all()


def test_near_pairs_on_request(parts, table):
    more = result(parts, max_contact_distance_px=5)["dataframe"]
    assert more.contact_count.sum() == 2 * len(parts["contacts"])
    assert more.contact_count.sum() > table.contact_count.sum()


def test_within_one_population(assay, parts):
    pairs = CellContacts()({"cancer": assay.cancer_labels})["dataframe"]
    found = result({"cancer": parts["cancer"], "contacts": pairs})["dataframe"]
    assert found.contact_count.sum() == 2 * len(pairs)


def test_contacts_by_label(parts):
    renamed = parts["cancer"].assign(track_id=parts["cancer"].label + 500)
    found = result({**parts, "cancer": renamed}, contact_ids="label")["dataframe"]
    usual = result(parts)["dataframe"]
    pd.testing.assert_series_equal(found.contact_cell_ids, usual.contact_cell_ids)


def test_scale_from_the_columns_or_from_the_movie(parts):
    pixels = {k: t.drop(columns=["y_um", "x_um"], errors="ignore") for k, t in parts.items()}
    found, usual = (result(p)["dataframe"] for p in (pixels, parts))
    pd.testing.assert_frame_equal(found, usual)


def test_small_tables(parts, table):
    empty = {key: part[:0] for key, part in parts.items()}
    for data in (
        empty,
        {**parts, "tcell": empty["tcell"]},
        {**parts, "contacts": empty["contacts"]},
    ):
        found = result(data)["dataframe"]
        assert found.dtypes.equals(table.dtypes)
    one = result({"tcell": parts["tcell"][:1], "contacts": parts["contacts"]})["dataframe"]
    assert len(one) == 1
    assert np.isnan(one.speed[0])


def test_passes_through_csv(table):
    again = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert list(again) == list(table)
    assert again.contact.tolist() == table.contact.tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tcell": None, "cancer": None}, ["at least one population"]),
        ({"frame_interval_s": None}, ["frame interval is not known"]),
        ({"contacts": pd.DataFrame({"frame": [0]})}, ["'contacts'", "'a'"]),
    ],
)
def test_bad_input(parts, change, words):
    data = {key: value for key, value in {**SCALE, **parts, **change}.items() if value is not None}
    with pytest.raises(TaskInputError) as caught:
        ResultTable()(data)
    for word in words:
        assert word in str(caught.value)


def test_bad_tables(parts):
    pixels = parts["tcell"].drop(columns=["y_um", "x_um"])
    with pytest.raises(TaskInputError, match="pixel size is not known"):
        ResultTable()({"tcell": pixels, "frame_interval_s": 60.0})
    with pytest.raises(TaskInputError, match="more than one row"):
        result({"tcell": pd.concat([parts["tcell"]] * 2)})
    with pytest.raises(TaskInputError, match="no column 'aera'"):
        result(parts, columns=["aera"])
    with pytest.raises(TaskInputError, match="same names in the inputs"):
        result({"nk": parts["tcell"], "contacts": parts["contacts"]})
    for change in (
        {"y_um": "a"},
        {"alive_probability": "a"},
        {"mean": "a"},
        {"frame": np.inf},
    ):
        with pytest.raises(TaskInputError, match="numbers are needed") as caught:
            result({"tcell": parts["tcell"][:1].assign(**change)})
        assert (caught.value.task, caught.value.key) == ("ResultTable", "tcell")
        assert repr(next(iter(change))) in str(caught.value)
    with pytest.raises(ParameterError):
        ResultTable(statistics=["average"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"distance_px": "q"}, "numbers are needed"),
        ({"frame": "q"}, "numbers are needed"),
        ({"b": np.nan}, "'b', row 0"),
        ({"a": 1, "b": 1, "frame": 0}, "more than one row"),
    ],
)
def test_bad_contacts(parts, change, words):
    with pytest.raises(TaskInputError, match=words) as caught:
        result({**parts, "contacts": parts["contacts"].assign(**change)})
    assert caught.value.key == "contacts"


@pytest.mark.parametrize("interval", [-1, 0, np.nan])
def test_bad_frame_interval(parts, interval):
    with pytest.raises(TaskInputError, match="above 0") as caught:
        result({**parts, "frame_interval_s": interval})
    assert caught.value.key == "frame_interval_s"


def test_a_population_under_another_name(parts):
    """Its contacts would be missing, and nothing else would tell."""
    renamed = {"tcells": parts["tcell"], "cancer": parts["cancer"], "contacts": parts["contacts"]}
    with pytest.raises(TaskInputError, match="no table 'tcell'") as caught:
        result(renamed)
    assert (caught.value.task, caught.value.key) == ("ResultTable", "contacts")
    for word in ("no contacts of 'tcells'", "did you mean 'tcells'?"):
        assert word in str(caught.value)


def test_a_table_left_out_on_purpose(parts, table):
    cancer = result({"cancer": parts["cancer"], "contacts": parts["contacts"]})["dataframe"]
    usual = table[table.cell_type == "cancer"]
    assert cancer.contact_cell_ids.tolist() == usual.contact_cell_ids.tolist()
    more = result({**parts, "nk": parts["tcell"]})["dataframe"]
    assert more[more.cell_type == "nk"].contact.isna().all()
    assert more[more.cell_type != "nk"].contact.notna().all()


def test_contacts_of_several_pairs_of_populations(parts, table):
    pairs = parts["contacts"]
    both = pd.concat([pairs, pairs.assign(a_type="nk")], ignore_index=True)
    found = result({**parts, "nk": parts["tcell"], "contacts": both})["dataframe"]
    counts = found.groupby("cell_type").contact_count.sum()
    once = table.contact_count.sum() // 2
    assert counts.to_dict() == {"tcell": once, "nk": once, "cancer": 2 * once}
