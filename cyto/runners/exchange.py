"""How values lie on disk between processes: ``.npy``, Arrow IPC, JSON; never pickle.

Runs on Python 3.9 inside containers; NumPy, pandas, pyarrow and NetworkX are imported only when
a value needs them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Union

from cyto.core.movie import Frames
from cyto.core.request import Ref
from cyto.errors import TaskOutputError

if TYPE_CHECKING:  # pathlib costs a worker's start more than all of this module
    from pathlib import Path

SAFE_KEY = re.compile(r"(?!manifest$)[^\W.][\w.-]{0,127}")
"""What a key must look like that becomes a file's name; the store has a manifest of its own."""


def save(value: Any, kind: str, folder: Union[str, Path], key: str) -> Ref:
    """Write one value into *folder* and say how to read it again.

    Parameters
    ----------
    value
        An array, a pandas table, a NetworkX graph, a JSON value or a path, as *kind* says.
    kind
        ``image``, ``label``, ``dataframe``, ``network``, ``value`` or ``file``.
    folder, key
        The file becomes ``<folder>/<key>.<ending>``; the folder is made for the first file.

    Returns
    -------
    The reference, its path absolute.

    Raises
    ------
    TaskOutputError
        The value is of no kind that can travel; says its type.
    """
    if not SAFE_KEY.fullmatch(str(key)):
        raise TaskOutputError(
            "cannot be a key", key=str(key), hint="write letters, digits, _ - . (manifest is taken)"
        )
    if kind == "dataframe":
        return _save_table(value, _place(folder, f"{key}.arrow"), key)
    if kind == "network":
        return _save_json(network_to_json(value, key), "network", _place(folder, f"{key}.json"))
    if kind == "file":
        return _save_file(value, folder, key)
    if isinstance(value, Frames):
        return _save_frames(value, kind, _place(folder, f"{key}.npy"))
    if hasattr(value, "dtype") and hasattr(value, "__array__") and getattr(value, "ndim", 0) > 0:
        return _save_array(value, kind, _place(folder, f"{key}.npy"), key)
    plain = to_plain(value, key)
    if len(json.dumps(plain)) < 4096:
        return Ref(kind, "inline", value=plain)
    return _save_json(plain, kind, _place(folder, f"{key}.json"))


def _place(folder: Union[str, Path], name: str) -> str:
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, name)


def _save_json(data: Any, kind: str, path: str) -> Ref:
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(data))
    return Ref(kind, "json", path)


def load(ref: Ref, *, writable: bool = False) -> Any:
    """Read the value behind *ref*.

    Arrays are mapped, not read: the pages come when they are touched. With *writable* they are
    private copies-on-write, so that changing them changes no file.

    Raises
    ------
    FileNotFoundError, ValueError
        The file is not there, or it is damaged.
    """
    if ref.format == "inline":
        return ref.value
    if ref.format == "collected":
        return _load_collected(ref)
    path = ref.path or ""
    if ref.format == "npy":
        return _load_npy(path, "c" if writable else "r")
    if ref.format == "array":
        return _load_raw(ref, "c" if writable else "r")
    if ref.format in {"arrow", "parquet"}:
        return _load_table(path, ref.format)
    if ref.format == "file":
        return path
    with open(path, encoding="utf-8") as file:
        value = json.load(file)
    return network_from_json(value) if ref.kind == "network" else value


def says_nothing(key: str, value: Any, refs: Mapping[str, Ref]) -> bool:
    """Tell whether a task left *key* out; ``None`` for a value that came in takes that value back.

    So a task that changes the pixels can say that their size is not known any more.
    """
    return value is None and (key not in refs or refs[key].kind != "value")


def as_travelled(value: Any, kind: str) -> Any:
    """Give an array as a worker's reader gets it: (T, Y, X), and labels unsigned."""
    if kind not in {"image", "label"} or not hasattr(value, "ndim"):
        return value
    if kind == "label" and value.dtype.kind in "ib":
        value = value.astype("u1" if value.dtype.kind == "b" else f"u{value.dtype.itemsize}")
    return value[None] if value.ndim == 2 else value


def infer_kind(key: str, value: Any) -> str:
    """Guess the kind of a value that nobody declared: from what it is, then from its key."""
    if hasattr(value, "columns") and hasattr(value, "iloc"):
        return "dataframe"
    if hasattr(value, "nodes") and hasattr(value, "edges"):
        return "network"
    if hasattr(value, "dtype") and getattr(value, "ndim", 0) in {2, 3}:
        return "label" if "label" in str(key) or "mask" in str(key) else "image"
    return "file" if hasattr(value, "__fspath__") else "value"


def to_plain(value: Any, key: str = "") -> Any:
    """Give *value* with NumPy's types and tuples turned into JSON's.

    Raises
    ------
    TaskOutputError
        It holds something that JSON cannot.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "tolist"):
        return to_plain(value.tolist(), key)
    if isinstance(value, Mapping):
        return {str(name): to_plain(item, key) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item, key) for item in value]
    raise TaskOutputError(
        f"a value of type {type(value).__name__} cannot leave its task",
        key=key,
        hint="return an array, a pandas table, a NetworkX graph, numbers, text, lists or dicts of "
        "them, or the pathlib.Path of a file",
    )


def network_to_json(graph: Any, key: str = "") -> dict[str, Any]:
    """Give a NetworkX graph as JSON values; node ids are numbers, texts or tuples of them."""
    return {
        "directed": graph.is_directed(),
        "multigraph": graph.is_multigraph(),
        "graph": to_plain(dict(graph.graph), key),
        "nodes": [
            [to_plain(node, key), to_plain(dict(attrs), key)]
            for node, attrs in graph.nodes(data=True)
        ],
        "edges": [
            [*map(to_plain, ends), to_plain(dict(attrs), key)]
            for *ends, attrs in graph.edges(
                data=True, **({"keys": True} if graph.is_multigraph() else {})
            )
        ],
    }


def network_from_json(data: Mapping[str, Any]) -> Any:
    """Make the NetworkX graph that `network_to_json` wrote."""
    import networkx as nx

    kinds = {
        (False, False): nx.Graph,
        (True, False): nx.DiGraph,
        (False, True): nx.MultiGraph,
        (True, True): nx.MultiDiGraph,
    }
    graph: Any = kinds[bool(data["directed"]), bool(data["multigraph"])]()
    graph.graph.update(data["graph"])
    graph.add_nodes_from((_id(node), attrs) for node, attrs in data["nodes"])
    graph.add_edges_from((*map(_id, ends), attrs) for *ends, attrs in data["edges"])
    return graph


def _id(node: Any) -> Any:
    return tuple(map(_id, node)) if isinstance(node, list) else node


def _save_array(value: Any, kind: str, path: str, key: str) -> Ref:
    import numpy as np

    array: Any = np.asarray(value)
    if array.dtype.hasobject:
        raise TaskOutputError(
            f"an array of Python objects (dtype {array.dtype}) cannot leave its task", key=key
        )
    array = as_travelled(array, kind)
    with open(path, "wb") as file:
        np.lib.format.write_array(file, array, allow_pickle=False)
    return Ref(kind, "npy", path, dtype=array.dtype.str, shape=array.shape)


def _save_frames(value: Frames, kind: str, path: str) -> Ref:
    """Write a movie while it is made."""
    import numpy as np

    head = {"descr": value.dtype.str, "fortran_order": False, "shape": value.shape}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
        for frame in value:
            np.ascontiguousarray(frame, value.dtype).tofile(file)
    return Ref(kind, "npy", path, dtype=value.dtype.str, shape=value.shape)


def _save_table(value: Any, path: str, key: str) -> Ref:
    try:
        import pyarrow as pa
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "tables travel as Arrow files: this environment needs the library 'pyarrow'",
            name="pyarrow",
        ) from error
    try:
        table = pa.Table.from_pandas(value)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise TaskOutputError(
            f"the table cannot leave its task: {'; '.join(map(str, error.args))}",
            key=key,
            hint="a column holds numbers, texts, times, flags or lists of one of them",
        ) from error
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return Ref("dataframe", "arrow", path, columns=tuple(map(str, value.columns)))


def _save_file(value: Any, folder: Union[str, Path], key: str) -> Ref:
    import shutil
    from pathlib import Path

    source = Path(os.fspath(value))
    if not source.is_file():
        raise TaskOutputError(f"there is no file {str(source)!r}", key=key)
    target = _place(folder, f"{key}{''.join(source.suffixes)}")
    shutil.copyfile(source, target)
    return Ref("file", "file", target)


def _load_npy(path: str, mode: Literal["r", "c"]) -> Any:
    import numpy as np

    array = np.load(path, mmap_mode=mode, allow_pickle=False)
    return array.view(np.ndarray)


def _load_raw(ref: Ref, mode: Literal["r", "c"]) -> Any:
    import numpy as np

    raw = np.memmap(ref.path or "", dtype=np.uint8, mode=mode)
    array: Any = np.ndarray(
        ref.shape or (),
        dtype=ref.dtype,
        buffer=raw,
        offset=ref.offset,
        strides=ref.strides,
    )
    return array


def _load_table(path: str, form: str) -> Any:
    import pyarrow as pa

    if form == "parquet":
        from pyarrow import parquet

        return parquet.read_table(path).to_pandas()
    with pa.memory_map(path) as source:
        return pa.ipc.open_file(source).read_all().to_pandas()


def _load_collected(ref: Ref) -> Any:
    """Join tables, each with its columns put in front.

    A column that a table lacks is missing in its rows. An index with a name becomes a column, as
    the same index stands in every table.
    """
    import pandas as pd

    tables = []
    parts: Any = ref.value
    for part in parts:
        table = load(Ref.from_json(part["ref"]))
        if any(name is not None for name in table.index.names):
            table = table.reset_index()
        for place, (name, value) in enumerate(part["columns"].items()):
            table.insert(place, name, value)
        tables.append(table)
    # empty ones hold nothing and would only change the types of the others' columns
    full = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(full, ignore_index=True)
