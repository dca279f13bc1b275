"""Tables, networks, values and files are read back equal, by the programs that people use."""

from __future__ import annotations

import csv
import json

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from cyto.errors import TaskOutputError
from cyto.io.exports import export_value


def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "label": np.arange(100, dtype=np.uint32),
            "x_um": rng.normal(size=100) * 10.0 ** rng.integers(-300, 300, 100),
            "area": rng.random(100).astype(np.float32),
            "kind": ["a", 'quo"ted', "com,ma", "line\nbreak", "é"] * 20,
            "group": pd.Categorical(["x", "y"] * 50),
            "alive": [True, False] * 50,
            "gap": [1.5, np.nan] * 50,
            'odd, "name"': range(100),
        }
    )


def test_tables(tmp_path):
    path = export_value(table(), "dataframe", tmp_path, "n", parquet=True)
    assert path == tmp_path / "n.csv"
    back = pd.read_csv(path)
    # Python's float() is exact; pandas' own parser before version 4 is not
    with path.open(newline="") as stream:
        back["x_um"] = [float(row["x_um"]) for row in csv.DictReader(stream)]
    back = back.astype({"label": "uint32", "area": "float32", "group": "category"})
    pd.testing.assert_frame_equal(back, table())
    back = pd.read_parquet(tmp_path / "n.parquet")
    pd.testing.assert_frame_equal(back, table(), check_column_type=False)


def test_columns_that_text_cannot_hold(tmp_path):
    frame = pd.DataFrame(
        {
            "ids": [[1, 2], [], None],
            "mixed": [1, "a", None],
            "who": [{"a": 1}, {"a": 2}, {"a": 3}],
            "late": pd.to_timedelta([1.5, 2, 3], unit="s"),
            "inf": [np.inf, -np.inf, 0.0],
        }
    )
    path = export_value(frame, "dataframe", tmp_path, "n")
    back = pd.read_csv(path)
    assert back["ids"].tolist()[:2] == ["[1, 2]", "[]"]
    assert back["mixed"].tolist()[:2] == ["1", "a"]
    assert json.loads(back["who"][1]) == {"a": 2}
    assert back["late"].tolist() == [1.5, 2.0, 3.0]
    assert back["inf"].tolist() == [np.inf, -np.inf, 0.0]


def test_index_and_empty_tables(tmp_path):
    frame = pd.DataFrame({"v": [1, 2]}, index=pd.Index([5, 7], name="track_id"))
    path = export_value(frame, "dataframe", tmp_path, "n")
    assert path.read_text() == "track_id,v\n5,1\n7,2\n"
    path = export_value(frame.iloc[:0].reset_index(drop=True), "dataframe", tmp_path, "n")
    assert path.read_text() == "v\n"


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph])
def test_networks(tmp_path, kind):
    network = kind(title="é", frames=np.int64(3))
    network.add_node(np.int64(1), area=np.float32(0.5), kind="tcell", ids=[1, 2], none=None)
    network.add_node(2, area=3, alive=True)
    network.add_edge(1, 2, start=np.uint16(4), duration_s=1.5, frames=np.array([1, 2]))
    path = export_value(network, "network", tmp_path, "n")
    assert path == tmp_path / "n.graphml"
    back = nx.read_graphml(path, node_type=int, force_multigraph=network.is_multigraph())
    assert back.is_directed() == network.is_directed()
    assert back.graph["frames"] == 3
    assert back.nodes[1] == {"area": 0.5, "kind": "tcell", "ids": "[1, 2]"}
    assert back.nodes[2] == {"area": 3.0, "alive": True}
    (edge,) = [data for _, _, data in back.edges(data=True)]
    assert {k: v for k, v in edge.items() if k != "id"} == {
        "start": 4,
        "duration_s": 1.5,
        "frames": "[1, 2]",
    }


def test_empty_network_and_twins(tmp_path):
    assert len(nx.read_graphml(export_value(nx.Graph(), "network", tmp_path, "n"))) == 0
    with pytest.raises(TaskOutputError, match="look alike"):
        export_value(nx.Graph([(1, "1")]), "network", tmp_path, "n")


def test_values(tmp_path):
    value = {"a": np.float64(0.5), "é": [np.int32(1), None], "nan": float("nan"), 3: np.eye(2)}
    path = export_value(value, "value", tmp_path, "n")
    expected = {"a": 0.5, "é": [1, None], "nan": None, "3": [[1.0, 0.0], [0.0, 1.0]]}
    assert json.loads(path.read_text("utf-8")) == expected


def test_files(tmp_path):
    (tmp_path / "plot.v1.svg").write_text("<svg/>")
    path = export_value(str(tmp_path / "plot.v1.svg"), "file", tmp_path / "out", "curve")
    assert path.parent == tmp_path / "out"
    assert path.suffix == ".svg"
    assert path.read_text() == "<svg/>"
