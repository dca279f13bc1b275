"""CrossTableOperation and FeatureFilter by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing.tables import CrossTableOperation, FeatureFilter

ONE = pd.DataFrame({"frame": [0, 0, 1, 1], "label": [1, 2, 1, 3], "mean": [6.0, 8.0, 10.0, 1.0]})
TWO = pd.DataFrame({"frame": [1, 0, 0], "label": [1, 2, 1], "mean": [5.0, 0.0, 3.0], "sd": 2.0})
NAN = np.nan


def cross(one, two, **params):
    return CrossTableOperation(**params)({"dataframe": one, "other": two})["dataframe"]


def choose(table, *, column, operation, value):
    task = FeatureFilter(column=column, operation=operation, value=value)
    return task({"dataframe": table})["dataframe"]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("add", [9, 8, 15, NAN]),
        ("subtract", [3, 8, 5, NAN]),
        ("multiply", [18, 0, 50, NAN]),
        ("divide", [2, NAN, 2, NAN]),
    ],
)
def test_operations(operation, expected):
    found = cross(ONE, TWO, column="mean", operation=operation)
    np.testing.assert_array_equal(found[f"mean_{operation}"], expected)
    pd.testing.assert_frame_equal(found[list(ONE)], ONE)


def test_keys_other_column_and_index():
    shuffled = ONE.sample(frac=1, random_state=1)
    found = cross(shuffled, TWO, column="mean", operation="multiply", other_column="sd")
    assert found.index.equals(shuffled.index)
    np.testing.assert_array_equal(found.sort_index()["mean_multiply"], [12, 16, 20, NAN])
    by_label = TWO[TWO.frame == 0]
    found = cross(ONE, by_label, column="mean", operation="add", keys=["label"])
    np.testing.assert_array_equal(found["mean_add"], [9, 8, 13, NAN])


def test_whole_numbers_and_empty_tables():
    counts = ONE.assign(mean=np.array([1, 2, 3, 4], "uint8"))
    found = cross(counts, counts.assign(mean=np.uint8(200)), column="mean", operation="add")
    assert found["mean_add"].tolist() == [201, 202, 203, 204]
    for one, two in ((ONE[:0], TWO), (ONE, TWO[:0]), (ONE[:0], TWO[:0])):
        found = cross(one, two, column="mean")
        assert found.dtypes.equals(cross(ONE, TWO, column="mean").dtypes)
        assert found["mean_divide"].isna().all()


@pytest.mark.parametrize(
    ("one", "two", "params", "key", "words"),
    [
        (ONE, TWO, {"column": "maen"}, "dataframe", ["did you mean 'mean'"]),
        (ONE, TWO.drop(columns="mean"), {"column": "mean"}, "other", ["no column 'mean'"]),
        (ONE, pd.concat([TWO, TWO]), {"column": "mean"}, "other", ["frame 1, label 1"]),
        (ONE.assign(mean="x"), TWO, {"column": "mean"}, "dataframe", ["numbers are needed"]),
        (ONE, TWO.assign(label=["1", "2", "1"]), {"column": "mean"}, "other", ["'label'", "both"]),
    ],
)
def test_bad_input(one, two, params, key, words):
    with pytest.raises(TaskInputError) as caught:
        cross(one, two, **params)
    assert (caught.value.task, caught.value.key) == ("CrossTableOperation", key)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "params", [{}, {"column": "mean", "operation": "power"}, {"column": "mean", "keys": []}]
)
def test_bad_parameters(params):
    with pytest.raises(ParameterError):
        CrossTableOperation(**params)


@pytest.mark.parametrize(
    ("operation", "kept"),
    [("<", [3]), (">", [1, 2]), ("==", [0]), ("!=", [1, 2, 3]), ("<=", [0, 3]), (">=", [0, 1, 2])],
)
def test_filter(operation, kept):
    found = choose(ONE, column="mean", operation=operation, value=6)
    pd.testing.assert_frame_equal(found, ONE.loc[kept])


def test_filter_by_text_truth_and_missing_values():
    table = ONE.assign(kind=["t", "c", "t", None], alive=[True, False, True, True])
    assert choose(table, column="kind", operation="==", value="t").index.tolist() == [0, 2]
    assert choose(table, column="kind", operation="!=", value="t").index.tolist() == [1]
    assert choose(table, column="alive", operation="==", value=False).index.tolist() == [1]
    holes = ONE.assign(mean=[1.0, NAN, 3.0, NAN])
    assert choose(holes, column="mean", operation="!=", value=1).index.tolist() == [2]
    assert choose(holes, column="mean", operation="<", value=9).index.tolist() == [0, 2]
    maybe = ONE.assign(contact=pd.array([True, None, False, True], "boolean"))
    assert choose(maybe, column="contact", operation="==", value=True).index.tolist() == [0, 3]


def test_filter_of_an_empty_table():
    found = choose(ONE[:0], column="mean", operation="<", value=1)
    assert found.dtypes.equals(ONE.dtypes)
    assert choose(ONE, column="mean", operation=">", value=99).dtypes.equals(ONE.dtypes)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("size", 1, ["no column 'size'"]), ("mean", "6", ["'6'", "without quotes"])],
)
def test_filter_with_bad_input(column, value, words):
    with pytest.raises(TaskInputError) as caught:
        choose(ONE, column=column, operation="<", value=value)
    for word in words:
        assert word in str(caught.value)


def test_filter_of_a_column_that_mixes_numbers_and_texts():
    mixed = ONE.assign(kind=[1, "b", 2, "b"])
    with pytest.raises(TaskInputError, match="'kind'") as caught:
        choose(mixed, column="kind", operation=">", value="a")
    assert (caught.value.task, caught.value.key) == ("FeatureFilter", "dataframe")
    assert "numbers only, or texts only" in caught.value.hint
    assert choose(mixed, column="kind", operation="==", value="b").index.tolist() == [1, 3]


def test_filter_with_bad_parameters():
    with pytest.raises(ParameterError):
        FeatureFilter(column="mean", operation="=", value=1)
