"""Tables made ready for files: only types that a text file can hold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Give *frame* as an Arrow table; a named index becomes columns, an unnamed one is dropped."""
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    columns = [_column(frame.iloc[:, i]) for i in range(frame.shape[1])]
    return pa.table(columns, names=[str(name) for name in frame.columns])


def to_plain(table: pa.Table) -> pa.Table:
    """Give *table* with nested and categorical columns as text, lists as JSON."""
    return pa.table([_plain(column) for column in table.columns], names=table.column_names)


def _column(series: pd.Series[Any]) -> pa.Array:
    try:
        return pa.Array.from_pandas(series)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        # values of several types
        return pa.array([None if _is_missing(v) else as_text(v) for v in series], pa.string())


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(pc.cast(column, kind.value_type))
    if pa.types.is_duration(kind):
        seconds = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return pc.divide(pc.cast(pc.cast(column, pa.int64()), pa.float64()), seconds)
    if pa.types.is_nested(kind):
        texts = [None if v is None else as_text(v) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_float16(kind):
        return pc.cast(column, pa.float32())
    return column


def as_text(value: object) -> str:
    """Write one value of any type: text as it is, the rest as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, default=_jsonable, ensure_ascii=False)


def _jsonable(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset | tuple):
        return sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
    return str(value)


def _is_missing(value: Any) -> bool:
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))
