"""Values pass between processes unchanged, and nothing that could be executed passes at all."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from cyto.core.request import Ref
from cyto.errors import TaskOutputError
from cyto.runners.exchange import infer_kind, load, save, to_plain


def passed(value, kind, folder, key="key"):
    """Give *value* as its reader gets it, the reference having passed through JSON."""
    ref = save(value, kind, folder, key)
    ref = Ref.from_json(json.loads(json.dumps(ref.to_json())))
    assert ref.kind == kind
    if ref.path is not None:
        assert Path(ref.path).is_absolute()
    return load(ref)


DTYPES = [
    "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "?", ">u2", ">f4", ">i8",
    "c8", "M8[s]", "U3", "S2",
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype(dtype, tmp_path):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    found = passed(array, "value", tmp_path)
    assert type(found) is np.ndarray
    assert found.dtype == array.dtype
    assert found.dtype.byteorder == array.dtype.byteorder
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_not_a_number_and_the_infinite(dtype, tmp_path):
    array = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0], dtype)
    assert passed(array, "value", tmp_path).tobytes() == array.tobytes()


BASE = np.arange(4 * 6 * 8, dtype=np.uint16).reshape(4, 6, 8)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(BASE), BASE.transpose(2, 0, 1), BASE[::2, 1:5, ::-1], BASE[:, :0],
        BASE[:0], np.broadcast_to(BASE[:1], (3, 6, 8)), np.ma.MaskedArray(BASE).data,
    ],
    ids=["fortran", "transposed", "strided", "no-rows", "no-frames", "broadcast", "masked"],
)  # fmt: skip
def test_arrays_in_every_layout(array, tmp_path):
    found = passed(array, "image", tmp_path)
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


def test_the_reference_tells_dtype_and_shape(tmp_path):
    ref = save(BASE.astype(">u2"), "image", tmp_path, "image")
    assert (ref.format, ref.dtype, ref.shape) == ("npy", ">u2", (4, 6, 8))
    assert Path(ref.path) == tmp_path / "image.npy"


@pytest.mark.parametrize(
    ("dtype", "becomes"), [("?", "u1"), ("i1", "u1"), ("i4", "u4"), ("i8", "u8"), ("u2", "u2")]
)
def test_labels_are_unsigned(dtype, becomes, tmp_path):
    found = passed(np.ones((2, 3, 4), dtype), "label", tmp_path)
    assert found.dtype == np.dtype(becomes)
    assert (found == 1).all()


def test_a_single_frame_is_a_movie_of_one(tmp_path):
    assert passed(BASE[0], "image", tmp_path).shape == (1, 6, 8)
    assert passed(BASE[0], "value", tmp_path).shape == (6, 8)


def test_what_is_read_is_mapped_and_cannot_be_changed(tmp_path):
    ref = save(BASE, "image", tmp_path, "image")
    found = load(ref)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0, 0] = 9
    Path(ref.path).write_bytes(Path(ref.path).read_bytes()[:-2] + b"\xff\xff")
    assert load(ref)[-1, -1, -1] == 65535


def test_writable_changes_no_file(tmp_path):
    ref = save(BASE, "image", tmp_path, "image")
    before = Path(ref.path).read_bytes()
    mine = load(ref, writable=True)
    mine[:] = 7
    assert (mine == 7).all()
    assert Path(ref.path).read_bytes() == before
    np.testing.assert_array_equal(load(ref), BASE)


def test_an_array_outlives_its_file(tmp_path):
    ref = save(BASE, "image", tmp_path, "image")
    found = load(ref, writable=True)
    Path(ref.path).unlink()
    np.testing.assert_array_equal(found, BASE)


class TestRaw:
    """Arrays that lie in a file of somebody else's."""

    @pytest.fixture
    def raw(self, tmp_path):
        path = tmp_path / "movie, of mine.tif"
        path.write_bytes(b"header!!" + BASE.tobytes() + b"trailer")
        return path

    def read(self, raw, array, offset=8, **kwargs):
        place = {"shape": array.shape, "strides": array.strides, "offset": offset}
        return load(Ref("image", "array", str(raw), dtype="<u2", **place), **kwargs)

    def test_whole(self, raw):
        np.testing.assert_array_equal(self.read(raw, BASE), BASE)

    def test_channel_crop_and_step(self, raw):
        part = BASE[1::2, 2:5, 1:7:3]
        offset = 8 + (1 * 6 * 8 + 2 * 8 + 1) * 2
        np.testing.assert_array_equal(self.read(raw, part, offset=offset), part)

    def test_backwards(self, raw):
        part = BASE[::-1]
        np.testing.assert_array_equal(self.read(raw, part, offset=8 + 3 * 6 * 8 * 2), part)

    def test_without_strides_it_is_contiguous(self, raw):
        ref = Ref("image", "array", str(raw), dtype="<u2", shape=(4, 6, 8), offset=8)
        np.testing.assert_array_equal(load(ref), BASE)

    def test_other_byte_order(self, tmp_path):
        path = tmp_path / "big"
        path.write_bytes(BASE.astype(">u2").tobytes())
        ref = Ref("image", "array", str(path), dtype=">u2", shape=(4, 6, 8))
        np.testing.assert_array_equal(load(ref), BASE)

    def test_read_only_unless_asked(self, raw):
        with pytest.raises(ValueError, match="read-only"):
            self.read(raw, BASE)[0] = 1
        before = raw.read_bytes()
        self.read(raw, BASE, writable=True)[0] = 1
        assert raw.read_bytes() == before

    @pytest.mark.parametrize("offset", [9 + 7, 10_000, -1])
    def test_beyond_the_file(self, raw, offset):
        with pytest.raises((ValueError, TypeError)):
            self.read(raw, BASE, offset=offset)

    def test_a_file_that_was_cut(self, raw):
        raw.write_bytes(raw.read_bytes()[:50])
        with pytest.raises((ValueError, TypeError), match=r"too small|size of buffer"):
            self.read(raw, BASE)


TABLES = {
    "numbers": pd.DataFrame({"label": np.array([1, 2], np.uint16), "area": [0.5, np.nan]}),
    "text": pd.DataFrame({"name": ["a", None, "é\n,\"'"], "": ["x", "y", "z"]}),
    "lists": pd.DataFrame({"points": [[1.0, 2.0], [], [3.0]]}),
    "categories": pd.DataFrame({"kind": pd.Categorical(["T", "B", "T"], ["B", "T"], ordered=True)}),
    "flags": pd.DataFrame({"alive": [True, False]}, index=["one", "two"]),
    "times": pd.DataFrame({"at": pd.to_datetime(["2024-01-01", None], utc=True)}),
    "nullable": pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}),
    "empty": pd.DataFrame({"label": np.array([], np.uint32), "x": np.array([], float)}),
    "no columns": pd.DataFrame(index=range(3)),
    "nothing": pd.DataFrame(),
    "an index": pd.DataFrame({"x": [1, 2]}, index=pd.Index([7, 9], name="cell")),
    "two indices": pd.DataFrame(
        {"x": [1, 2]}, index=pd.MultiIndex.from_tuples([(0, "a"), (1, "b")], names=["f", "c"])
    ),
    "numbered columns": pd.DataFrame({0: [1], 1: [2]}),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name, tmp_path):
    found = passed(TABLES[name], "dataframe", tmp_path)
    found = found.map(lambda x: list(x) if isinstance(x, np.ndarray) else x)
    expected = TABLES[name].map(lambda x: x)
    pd.testing.assert_frame_equal(found, expected, check_column_type=False)


def test_a_table_keeps_its_dtypes(tmp_path):
    found = passed(TABLES["numbers"], "dataframe", tmp_path)
    assert list(found.dtypes) == [np.uint16, np.float64]
    assert passed(TABLES["categories"], "dataframe", tmp_path)["kind"].cat.ordered


def test_a_tables_reference_tells_its_columns(tmp_path):
    assert save(TABLES["numbers"], "dataframe", tmp_path, "t").columns == ("label", "area")


def test_parquet_is_read_too(tmp_path):
    TABLES["numbers"].to_parquet(tmp_path / "t.parquet")
    found = load(Ref("dataframe", "parquet", str(tmp_path / "t.parquet")))
    pd.testing.assert_frame_equal(found, TABLES["numbers"])


def same_graph(one, two):
    assert type(one) is type(two)
    assert dict(one.graph) == dict(two.graph)
    assert list(one.nodes(data=True)) == list(two.nodes(data=True))
    keys = {"keys": True} if one.is_multigraph() else {}
    assert sorted(map(repr, one.edges(data=True, **keys))) == sorted(
        map(repr, two.edges(data=True, **keys))
    )


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_networks(kind, tmp_path):
    graph = kind(name="contacts", pixel=0.5)
    graph.add_node(1, x=1.5, alive=True, tags=["a", None])
    graph.add_node("two")
    graph.add_node((3, "cell", (4, 5)), frame=np.int64(3))
    graph.add_edge("two", 1, weight=2.0)
    graph.add_edge((3, "cell", (4, 5)), 1, frames=[1, 2])
    if graph.is_multigraph():
        graph.add_edge("two", 1, weight=3.0)
    same_graph(passed(graph, "network", tmp_path), graph)


@pytest.mark.parametrize("kind", [nx.MultiGraph, nx.MultiDiGraph])
def test_parallel_edges_keep_their_keys(kind, tmp_path):
    graph = kind()
    graph.add_edge(1, 2, key="touch", weight=1)
    graph.add_edge(1, 2, key="kill", weight=2)
    graph.add_edge(1, 2, key=5)
    same_graph(passed(graph, "network", tmp_path), graph)


@pytest.mark.parametrize("kind", [nx.Graph, nx.MultiDiGraph])
def test_empty_network(kind, tmp_path):
    same_graph(passed(kind(), "network", tmp_path), kind())


def test_numpy_ids_become_plain_ones(tmp_path):
    graph = nx.Graph([(np.uint16(1), np.uint16(2))])
    assert sorted(passed(graph, "network", tmp_path)) == [1, 2]


@pytest.mark.parametrize("name", ["incoming_graph_data", "self"])
def test_a_graphs_attributes_may_have_any_name(name, tmp_path):
    graph = nx.Graph()
    graph.graph[name] = "x"
    assert passed(graph, "network", tmp_path).graph == {name: "x"}


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 3.5, "", "é\n\0", [], [1, [2, None]], {}, {"a": {"b": [1.5]}}, 2**70,
     "x" * 100_000, list(range(5000))],
    ids=lambda v: repr(v)[:20],
)  # fmt: skip
def test_json_values(value, tmp_path):
    assert passed(value, "value", tmp_path) == value


def test_small_values_need_no_file(tmp_path):
    save({"n": 3}, "value", tmp_path, "key")
    assert list(tmp_path.iterdir()) == []
    assert save("x" * 5000, "value", tmp_path, "key").format == "json"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True), (np.str_("a"), "a"),
        ((1, (2,)), [1, [2]]), ({3: np.int8(1)}, {"3": 1}), (np.array(5), 5), ({1}, [1]),
        ({"a": np.arange(2)}, {"a": [0, 1]}),
    ],
)  # fmt: skip
def test_numpys_numbers_and_tuples_become_plain(value, plain, tmp_path):
    found = passed(value, "value", tmp_path)
    assert found == plain
    assert type(found) is type(plain)


def test_not_a_number_as_value(tmp_path):
    assert np.isnan(passed(float("nan"), "value", tmp_path))


@pytest.mark.parametrize("name", ["r.csv", "archive.tar.gz", "no ending", "é ü, x.csv"])
def test_files(name, tmp_path):
    source = tmp_path / name
    source.write_bytes(b"content\0")
    out = tmp_path / "out"
    out.mkdir()
    ref = save(source, "file", out, "report")
    assert Path(load(ref)).read_bytes() == b"content\0"
    assert Path(ref.path).name == "report" + "".join(source.suffixes)
    assert Path(ref.path).parent == out


@pytest.mark.parametrize("value", ["missing.csv", "."])
def test_a_file_that_is_none(value, tmp_path):
    with pytest.raises(TaskOutputError, match="there is no file") as caught:
        save(tmp_path / value, "file", tmp_path, "report")
    assert caught.value.key == "report"


class Opaque:
    """Something that only pickle could carry."""


GRAPH = nx.Graph()
GRAPH.add_node(1, what=Opaque())


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (Opaque(), "value", "a value of type Opaque cannot leave its task"),
        ([{"a": Opaque()}], "value", "type Opaque"),
        (lambda: 0, "value", "type function"),
        (b"bytes", "value", "type bytes"),
        (np.array([Opaque()]), "value", "an array of Python objects (dtype object)"),
        (np.array([1, None]), "image", "an array of Python objects"),
        (np.zeros(2, [("a", "u1"), ("b", "O")]), "value", "an array of Python objects"),
        (pd.DataFrame({"size": [Opaque()]}), "dataframe", "size"),
        (pd.DataFrame({"size": [1, "x"]}), "dataframe", "size"),
        (GRAPH, "network", "type Opaque"),
    ],
    ids=["object", "inside", "function", "bytes", "array", "none", "structured", "table", "mixed",
         "network"],
)  # fmt: skip
def test_what_is_refused(value, kind, words, tmp_path):
    with pytest.raises(TaskOutputError) as caught:
        save(value, kind, tmp_path, "odd")
    assert words in str(caught.value)
    assert caught.value.key == "odd"


@pytest.mark.parametrize("key", ["a/b", "../up", "", "a\0b", "manifest"])
def test_a_key_that_cannot_be_a_files_name(key, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(TaskOutputError) as caught:
        save(BASE, "image", folder, key)
    assert caught.value.key == key
    assert list(tmp_path.rglob("*.npy")) == []


class Bomb:
    """Run something when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_is_never_opened(tmp_path):
    mark = tmp_path / "executed"
    array = np.empty(1, object)
    array[0] = Bomb(mark)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Bomb(mark)))
    np.savez(tmp_path / "c.npz", array)
    for name in ("a.npy", "b.npy", "c.npz"):
        for writable in (False, True):
            with pytest.raises((ValueError, TypeError, AttributeError)):
                load(Ref("image", "npy", str(tmp_path / name)), writable=writable)[:]
    assert not mark.exists()


@pytest.mark.parametrize("size", [0, 5, 100, 200])
def test_a_damaged_array(size, tmp_path):
    ref = save(BASE, "image", tmp_path, "image")
    Path(ref.path).write_bytes(Path(ref.path).read_bytes()[:size])
    with pytest.raises((ValueError, EOFError)):
        load(ref)


def test_a_missing_file(tmp_path):
    for kind, form in [("image", "npy"), ("dataframe", "arrow"), ("network", "json")]:
        with pytest.raises(FileNotFoundError):
            load(Ref(kind, form, str(tmp_path / "nothing")))


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("x", BASE, "image"), ("cell_label", BASE, "label"), ("masks", BASE[0], "label"),
        ("x", BASE[0, 0], "value"), ("x", pd.DataFrame(), "dataframe"),
        ("x", nx.Graph(), "network"),
        ("x", Path("a"), "file"), ("x", "a", "value"), ("label", 3, "value"), (7, BASE, "image"),
    ],
)  # fmt: skip
def test_kinds_that_nobody_declared(key, value, kind):
    assert infer_kind(key, value) == kind


def test_to_plain_leaves_plain_values_alone():
    value = {"a": [1, 2.5, None, "x", True]}
    assert to_plain(value) == value
