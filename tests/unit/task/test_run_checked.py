"""What a task is given and what it gives, checked against what it declares."""

from __future__ import annotations

from typing import ClassVar

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from cyto.errors import ConfigError, TaskInputError, TaskOutputError
from cyto.runners import exchange
from cyto.task import PipelineTask, Port, require_pixel_size


class Give(PipelineTask):
    """Give what the class was told to."""

    inputs: ClassVar = {"image": Port("image", "a movie"), "mask": Port("label", optional=True)}
    outputs: ClassVar = {"label": Port("label", "cells"), "n": Port("value", optional=True)}
    result = None
    seen = None

    def run_baremetal(self, data):
        type(self).seen = data
        return self.result


def give(result, **data):
    Give.result = result
    image = {"image": np.zeros((2, 3, 4), np.uint16)}
    return Give()({**image, **data})


LABEL = {"label": np.ones((2, 3, 4), np.uint8)}


def test_a_single_frame_gets_a_time_axis():
    give(LABEL, image=np.zeros((3, 4), np.float32), mask=np.zeros((3, 4), bool))
    assert Give.seen["image"].shape == (1, 3, 4)
    assert Give.seen["mask"].shape == (1, 3, 4)


def test_calibration_and_unknown_keys_pass_through():
    give(LABEL, pixel_size_um=0.5, other="x")
    assert Give.seen["pixel_size_um"] == 0.5
    assert Give.seen["other"] == "x"
    assert "mask" not in Give.seen


@pytest.mark.parametrize(
    ("data", "key", "words"),
    [
        ({"image": None}, "image", "is missing; received"),
        ({"image": [[1]]}, "image", "must be an array (T, Y, X), received a value of type list"),
        (
            {"image": np.zeros((2, 3, 4, 5), np.uint8)},
            "image",
            "must have the axes (T, Y, X), received an array of shape (2, 3, 4, 5) and dtype uint8",
        ),
        ({"image": np.zeros(5)}, "image", "shape (5,) and dtype float64"),
        ({"image": np.array([["a"]])}, "image", "must be numbers, received an array of shape"),
        ({"image": np.zeros((2, 2), complex)}, "image", "must be numbers"),
        ({"image": np.zeros((2, 2), object)}, "image", "must be numbers"),
        (
            {"mask": np.zeros((2, 3, 4), np.float32)},
            "mask",
            (
                "must be an unsigned integer label image, received an array of shape (2, 3, 4) and "
                "dtype float32"
            ),
        ),
        ({"mask": np.full((2, 3, 4), -1)}, "mask", "must hold labels ≥ 0"),
    ],
)
def test_inputs_that_do_not_fit(data, key, words):
    with pytest.raises(TaskInputError) as caught:
        give(LABEL, **data)
    assert not isinstance(caught.value, TaskOutputError)
    assert words in str(caught.value)
    assert (caught.value.task, caught.value.key) == ("Give", key)


def test_a_missing_input_says_what_there_is_and_what_it_is_for():
    with pytest.raises(TaskInputError, match="input 'image': is missing; received a, b\n    a mov"):
        Give()({"a": 1, "b": 2})
    with pytest.raises(TaskInputError, match="received nothing"):
        Give()({})


@pytest.mark.parametrize(
    ("result", "key", "words"),
    [
        (None, "", "returned NoneType, a task returns a dict of its outputs (label, n)"),
        ([1], "", "returned list"),
        ({}, "label", "is declared and was not returned; returned: nothing"),
        ({"n": 3}, "label", "is declared and was not returned; returned: n"),
        (
            {**LABEL, "masks": np.zeros((2, 3), np.uint8)},
            "masks",
            "is not declared (an array of shape (2, 3) and dtype uint8); declared: label, n",
        ),
        (
            {"label": np.zeros((1, 2, 3, 4), np.uint8)},
            "label",
            "must have the axes (T, Y, X), received an array of shape (1, 2, 3, 4)",
        ),
        ({"label": np.zeros((2, 3, 4))}, "label", "unsigned integer label image"),
        ({"label": None}, "label", "must be an array"),
    ],
)
def test_outputs_that_do_not_fit(result, key, words):
    with pytest.raises(TaskOutputError) as caught:
        give(result)
    assert words in str(caught.value)
    assert (caught.value.task, caught.value.key) == ("Give", key)


def test_calibration_may_be_returned_undeclared():
    assert give({**LABEL, "pixel_size_um": 2.0})["pixel_size_um"] == 2.0


class Tables(PipelineTask):
    """Copy tables and networks."""

    inputs: ClassVar = {"dataframe": Port("dataframe", columns=("label", "area"))}
    more_inputs = Port("network")
    outputs: ClassVar = {"dataframe": Port("dataframe", columns=("label", "speed"))}

    def run_baremetal(self, data):
        return {"dataframe": data["dataframe"].rename(columns={"area": data.get("name", "speed")})}


TABLE = pd.DataFrame({"label": [1], "area": [2.0]})


def test_tables():
    assert list(Tables()({"dataframe": TABLE})["dataframe"]) == ["label", "speed"]


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({"dataframe": {"label": [1]}}, TaskInputError, "must be a pandas table, received a value"),
        ({"dataframe": TABLE[["label"]]}, TaskInputError, "has no column 'area'; columns: label"),
        ({"dataframe": TABLE, "other": 3}, TaskInputError, "must be a NetworkX graph, received"),
    ],
)
def test_tables_that_do_not_fit(data, error, words):
    with pytest.raises(error) as caught:
        Tables()(data)
    assert words in str(caught.value)


def test_a_table_that_lacks_a_declared_column():
    class Short(Tables):
        def run_baremetal(self, data):
            return {"dataframe": data["dataframe"]}

    with pytest.raises(TaskOutputError, match="has no column 'speed'; columns: label, area"):
        Short()({"dataframe": TABLE})


def test_further_inputs_have_a_kind():
    graph = nx.path_graph(2)
    assert Tables()({"dataframe": TABLE, "contacts": graph})


@pytest.mark.parametrize(
    "label",
    [
        np.array([[0, 2]], np.uint16), np.zeros((2, 3, 4), np.int64), np.ones((3, 4), bool),
        np.ones((3, 4), np.int8),
    ],
    ids=lambda a: f"{a.dtype}-{a.ndim}",
)  # fmt: skip
def test_a_result_is_the_same_here_and_through_a_worker(label, tmp_path):
    here = give({"label": label})["label"]
    there = exchange.load(exchange.save(label, "label", tmp_path, "label"))
    assert (here.dtype, here.shape) == (there.dtype, there.shape)
    assert (here == there).all()


def test_what_is_not_implemented_says_so():
    class Empty(PipelineTask):
        pass

    with pytest.raises(NotImplementedError, match="Empty does not implement run_baremetal"):
        Empty()({})


def test_pixel_size():
    assert require_pixel_size({"pixel_size_um": 0.5}, "T", "area") == 0.5
    with pytest.raises(TaskInputError, match="the pixel size is not known, and area needs it"):
        require_pixel_size({}, "T", "area")


@pytest.mark.parametrize("shape", [(5, 5), (7, 5, 5), (0, 5, 5)])
def test_a_framewise_task_gives_as_many_frames_as_it_got(shape):
    class Odd(PipelineTask):
        inputs = {"image": Port("image")}  # noqa: RUF012
        outputs = {"label": Port("label")}  # noqa: RUF012
        framewise = True

        def run_baremetal(self, data):
            assert len(data["image"]) == 3
            return {"label": np.zeros(shape, np.uint8)}

    with pytest.raises(TaskOutputError, match=r"where the input has 3 .*\(3, 5, 5\)"):
        Odd()({"image": np.zeros((3, 5, 5))})


def test_a_wrong_execution_config_shows_at_once():
    class Any(PipelineTask):
        pass

    with pytest.raises(ConfigError, match="contaner"):
        Any(execution_config={"type": "contaner"})


@pytest.mark.parametrize("key", ["pixel_size_um", "frame_interval_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "x", [1]])
def test_a_calibration_that_is_none(key, value):
    class Any(PipelineTask):
        def run_baremetal(self, data):
            pytest.fail(f"was called with {data}")

    with pytest.raises(TaskInputError, match="above 0") as caught:
        Any()({key: value})
    assert caught.value.key == key
