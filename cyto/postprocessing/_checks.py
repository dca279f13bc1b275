"""Checks of tables that several tasks make; light, so that public modules may import it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cyto._typing import TaskData
from cyto.errors import ParameterError, TaskInputError
from cyto.task.ports import refuse_samples


def require_frame_interval(data: TaskData, task: str, because: str) -> float:
    """Give the time between frames in s, or say why it is needed and where to write it."""
    interval = data.get("frame_interval_s")
    if interval is None:
        raise TaskInputError(
            f"the frame interval is not known, and {because} needs it",
            task=task,
            key="frame_interval_s",
            hint="write frame_interval_s beside the channel's path in the pipeline file",
        )
    return float(interval)


def require_columns(table: Any, names: Sequence[str], task: str, key: str, hint: str) -> None:
    """Raise `TaskInputError` unless *table* has all columns *names*."""
    from cyto.errors import nearest

    lacking = [name for name in names if name not in table]
    if lacking:
        raise TaskInputError(
            f"has no column {', '.join(map(repr, lacking))}; "
            f"columns: {', '.join(map(str, table.columns))}",
            task=task,
            key=key,
            hint=f"{nearest(lacking[0], map(str, table.columns), what='column')}; {hint}",
        )


def require_numbers(table: Any, names: Sequence[str], task: str, key: str) -> None:
    """Raise `TaskInputError` unless the columns *names* hold numbers."""
    for name in names:
        dtype = table[name].dtype
        if getattr(dtype, "kind", "O") not in "uifb" and len(table):
            raise TaskInputError(
                f"holds {dtype} in the column {name!r}, numbers are needed",
                task=task,
                key=key,
                hint="choose a column of numbers, or read the table with numbers in it",
            )


def require_finite(table: Any, names: Sequence[str], task: str, key: str) -> None:
    """Raise `TaskInputError` unless the columns *names* hold finite numbers in every row."""
    import numpy as np

    require_numbers(table, names, task, key)
    for name in names if len(table) else ():
        values = table[name].to_numpy(np.float64, na_value=np.nan)
        wrong = ~np.isfinite(values)
        if wrong.any():
            row = int(wrong.argmax())
            raise TaskInputError(
                f"holds {values[row]} in the column {name!r}, row {row}, finite numbers are needed "
                f"({int(wrong.sum())} such rows of {len(table)})",
                task=task,
                key=key,
                hint="drop such rows first, with FeatureFilter for instance, or correct them",
            )


def cell_columns(table: Any) -> list[str]:
    """Name the columns that tell a cell: ``track_id``, of one ``sample`` where there are several.

    A table that was collected of several samples has the same track ids in each of them.
    """
    return ["sample", "track_id"] if "sample" in table else ["track_id"]


def require_one_row(table: Any, keys: Sequence[str], task: str, key: str) -> None:
    """Raise `TaskInputError` where *keys* are missing in a row, or two rows share them.

    Also where the table was collected of several samples and *keys* do not tell them apart.
    """
    names = list(keys)
    if "sample" not in names:
        refuse_samples(table, task, key)
    missing = table[names].isna().any(axis=1)
    if missing.any():
        row = int(missing.to_numpy().argmax())
        raise TaskInputError(
            f"lacks {' or '.join(names)} in row {row}",
            task=task,
            key=key,
            hint="drop such rows first, with FeatureFilter for instance",
        )
    again = table.duplicated(names)
    if again.any():
        row = table.loc[again.to_numpy(), names].astype(object).iloc[0]
        where = ", ".join(f"{name} {row[name]}" for name in names)
        raise TaskInputError(
            f"has more than one row for {where}",
            task=task,
            key=key,
            hint="a cell has one row per frame; use the tracker's table, with a track_id per cell",
        )


def check_place_columns(columns: Sequence[str], task: str) -> None:
    """Raise `ParameterError` unless *columns* names a row's and a column's."""
    if len(columns) != 2:
        raise ParameterError(
            f"must be two names, not {list(columns)!r}",
            task=task,
            parameter="columns",
            hint="the column with a cell's row, then that with its column: [y, x]",
        )


def placed(table: Any, columns: Sequence[str], task: str) -> Any:
    """Give *table* with its places, px, in ``y`` and ``x``; *columns* says where they are."""
    if list(columns) == ["y", "x"]:
        return table
    require_columns(table, columns, task, "dataframe", "see columns")
    return table.assign(y=table[columns[0]], x=table[columns[1]])
