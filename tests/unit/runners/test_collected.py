"""Tables of several samples, joined by whoever reads them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from cyto.core.request import Ref, TaskRequest
from cyto.runners.exchange import load, save


@pytest.fixture
def collected(tmp_path):
    def collected(*tables, columns=None):
        parts = []
        for i, table in enumerate(tables):
            folder = tmp_path / f"s{i}"
            folder.mkdir()
            given = columns[i] if columns else {"sample": f"s{i}"}
            parts.append({"columns": given, "ref": save(table, "dataframe", folder, "t").to_json()})
        return Ref("dataframe", "collected", value=parts)

    return collected


def travelled(ref):
    """Give a reference as a worker reads it from its request."""
    request = TaskRequest(task="a.B", inputs={"t": ref}, folder="/jobs")
    return TaskRequest.from_json(json.loads(json.dumps(request.to_json()))).inputs["t"]


def test_joined_with_columns_in_front(collected):
    one = pd.DataFrame({"track_id": [1, 2], "x": [0.5, 1.5]})
    two = pd.DataFrame({"track_id": [1], "x": [2.5]})
    columns = [{"sample": "a", "dose": 1, "ok": True}, {"sample": "b", "dose": 2, "ok": None}]
    table = load(travelled(collected(one, two, columns=columns)))
    assert list(table.columns) == ["sample", "dose", "ok", "track_id", "x"]
    assert table["sample"].tolist() == ["a", "a", "b"]
    assert table["dose"].tolist() == [1, 1, 2]
    assert table["ok"].tolist() == [True, True, None]
    assert table["track_id"].tolist() == [1, 2, 1]
    assert table["track_id"].dtype == np.int64
    assert table.index.tolist() == [0, 1, 2]


def test_an_empty_table_changes_no_type(collected):
    full = pd.DataFrame({"track_id": [1, 2], "died": [True, False]})
    empty = pd.DataFrame({"track_id": [], "died": []})
    table = load(collected(empty, full, full.iloc[:0]))
    assert table["track_id"].dtype == np.int64
    assert table["died"].dtype == bool
    assert table["sample"].tolist() == ["s1", "s1"]


def test_all_empty(collected):
    table = load(collected(pd.DataFrame({"track_id": []}), pd.DataFrame({"track_id": []})))
    assert list(table.columns) == ["sample", "track_id"]
    assert len(table) == 0


def test_moved_to_where_a_container_sees_it(collected):
    ref = collected(pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}))
    before = [part["ref"]["path"] for part in ref.value]
    moved = travelled(ref).moved(lambda path: f"/cyto/in{path}")
    assert [part["ref"]["path"] for part in moved.value] == [f"/cyto/in{p}" for p in before]
    assert [part["ref"]["path"] for part in ref.value] == before, "the host's is as it was"
    back = moved.moved(lambda path: path.removeprefix("/cyto/in"))
    pd.testing.assert_frame_equal(load(back), load(ref))


def test_a_column_that_one_table_lacks(collected):
    table = load(collected(pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"a": [3]})))
    assert table["a"].tolist() == [1, 3]
    assert table["b"].isna().tolist() == [False, True]


def test_a_named_index_becomes_a_column(collected):
    table = pd.DataFrame({"a": [1, 2]}, index=pd.Index([7, 8], name="cell"))
    assert load(collected(table, table))["cell"].tolist() == [7, 8, 7, 8]
