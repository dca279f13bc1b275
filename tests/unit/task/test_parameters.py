"""Declared parameters: what is taken, and the words for what is not."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any, Dict, List, Literal, Optional, Tuple, Union  # noqa: UP035 - as on 3.9

import numpy as np
import pytest

from cyto.errors import ParameterError
from cyto.task import Param, PipelineTask


class Sample(PipelineTask):
    """Have a parameter of every kind."""

    name: str = Param(help="must be given")
    flag: bool = Param(False)
    count: int = Param(3, ge=1, le=10, help="how many")
    size: float = Param(2.5, gt=0, lt=100, unit="px", help="how large")
    method: Literal["otsu", "li"] = Param("otsu", help="how the level is found")
    limit: Optional[float] = Param(None, ge=0)  # noqa: UP045
    pair: Tuple[int, int] = Param((0, 1), ge=0)  # noqa: UP006
    many: List[float] = Param((), unit="µm")  # noqa: UP006
    table: Dict[str, int] = Param(None)  # noqa: UP006
    either: Union[int, str] = Param(0)  # noqa: UP007
    loose: Any = Param(None)
    model: str = Param("", path=True)
    rest: Tuple[int, ...] = Param(())  # noqa: UP006


def made(**params):
    return Sample(**{"name": "x", **params})


def refused(**params) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        made(**params)
    assert caught.value.exit_code == 2
    assert caught.value.task == "Sample"
    return caught.value


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("flag", True, True),
        ("count", 10, 10), ("count", 4.0, 4), ("count", np.int32(7), 7),
        ("size", 3, 3.0), ("size", np.float32(0.5), 0.5),
        ("method", "li", "li"),
        ("limit", None, None), ("limit", 0, 0.0),
        ("pair", [1, 2], (1, 2)), ("pair", (1, 2), (1, 2)),
        ("many", [1, 2.5], [1.0, 2.5]), ("many", (), []),
        ("table", {"a": 1}, {"a": 1}),
        ("either", 3, 3), ("either", "3", "3"),
        ("loose", {"any": [None]}, {"any": [None]}),
        ("model", Path("/a/b"), "/a/b"),
        ("rest", [1, 2, 3], (1, 2, 3)),
    ],
)  # fmt: skip
def test_taken(name, given, value):
    found = getattr(made(**{name: given}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("name", 3, "expected text, not 3"),
        ("name", None, "expected text, not None"),
        ("flag", 1, "expected true or false, not 1"),
        ("flag", "yes", "expected true or false, not 'yes'"),
        ("count", 0, "must be at least 1, not 0"),
        ("count", 11, "must be at most 10, not 11"),
        ("count", 2.5, "expected whole number, not 2.5"),
        ("count", True, "expected whole number, not True"),
        ("count", "3", "expected whole number, not '3'"),
        ("size", 0, "must be more than 0 px, not 0"),
        ("size", 100, "must be less than 100 px, not 100"),
        ("size", float("nan"), "expected number, not nan"),
        ("size", float("inf"), "must be less than 100 px, not inf"),
        ("size", "3", "expected number, not '3'"),
        ("size", None, "expected number, not None"),
        ("size", True, "expected number, not True"),
        ("method", "otsi", "expected 'otsu' or 'li', not 'otsi'"),
        ("limit", "x", "expected number or null, not 'x'"),
        ("limit", -1, "must be at least 0, not -1"),
        ("pair", [1], "expected list of 2: whole number, whole number, not [1]"),
        ("pair", "ab", "expected list of 2: whole number, whole number, not 'ab'"),
        ("pair", [1, -1], "must be at least 0, not [1, -1]"),
        ("many", 3, "expected list of number, not 3"),
        ("many", "12", "expected list of number, not '12'"),
        ("many", ["x"], "expected number, not ['x']"),
        ("table", [1], "expected a mapping, not [1]"),
        ("table", {"a": "x"}, "expected whole number, not {'a': 'x'}"),
        ("either", [1], "expected whole number or text, not [1]"),
        ("rest", 3, "expected list of whole number, not 3"),
    ],
)
def test_refused(name, given, words):
    error = refused(**{name: given})
    assert error.message == words
    assert error.parameter == name
    assert str(error).startswith(f"Sample.{name}: ")


def test_the_hint_is_the_parameters_help_or_the_nearest_choice():
    assert refused(count=0).hint == "how many"
    assert refused(method="otsi").hint == "did you mean 'otsu'?"
    assert refused(method="watershed").hint == "how the level is found"


def test_unknown_names_the_nearest():
    error = refused(sise=3)
    assert error.message == "unknown parameter 'sise'"
    assert error.hint == "did you mean 'size'?"
    assert "known parameters: count, either" in refused(zzzzz=3).hint


def test_what_must_be_given():
    with pytest.raises(ParameterError) as caught:
        Sample()
    assert caught.value.message == "parameter 'name' must be given (text)"
    assert caught.value.hint == "must be given"


def test_long_values_are_cut_in_messages():
    assert len(refused(count="x" * 10_000).message) < 150


def test_signature_shows_names_types_and_defaults():
    signature = inspect.signature(Sample)
    assert list(signature.parameters) == [*Sample.parameters, "execution_config"]
    assert signature.parameters["name"].default is inspect.Parameter.empty
    assert signature.parameters["size"].default == 2.5
    assert signature.parameters["size"].annotation is float
    assert all(p.kind is p.KEYWORD_ONLY for p in signature.parameters.values())


def test_params_are_json_values():
    assert made(pair=(4, 5)).params["pair"] == [4, 5]
    assert made(rest=[1]).params["rest"] == [1]
    assert Sample(**made(size=7).params | {"table": {}}).size == 7.0, "they make the same task"


def test_a_default_is_not_shared_between_tasks():
    class Lists(PipelineTask):
        values: List[int] = Param([1])  # noqa: UP006

    Lists().values.append(2)
    assert Lists().values == [1]


def test_a_default_has_the_declared_type():
    class Half(PipelineTask):
        size: float = Param(3)
        values: List[int] = Param(())  # noqa: UP006

    assert isinstance(Half().size, float)
    assert Half().values == []


def test_inherited_and_overridden():
    class Child(Sample):
        count: int = Param(5)
        extra: bool = Param(True)

    task = Child(name="x")
    assert (task.count, task.extra, task.size) == (5, True, 2.5)
    assert list(Child.parameters)[-1] == "extra"
    assert "extra" not in Sample.parameters


def test_a_new_default_keeps_the_inherited_type():
    class Child(Sample):
        count = Param(5)

    with pytest.raises(ParameterError, match="expected whole number"):
        Child(name="x", count="many")


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the spelling X | Y is younger")
def test_types_with_a_bar():
    class Modern(PipelineTask):
        limit: float | None = Param(None, ge=0)
        names: list[str] | str = Param("x")

    assert Modern(limit=3).limit == 3.0
    assert Modern(names=["a"]).names == ["a"]
    assert Modern.parameters["limit"].type_name == "number or null"
    with pytest.raises(ParameterError, match="expected number or null, not 'x'"):
        Modern(limit="x")


def test_rules_between_parameters():
    class Ordered(PipelineTask):
        low: float = Param(0.0)
        high: float = Param(1.0)

        def validate(self):
            if self.low > self.high:
                raise ParameterError("low is above high", task="Ordered", parameter="low")

    assert Ordered(low=0.5).low == 0.5
    with pytest.raises(ParameterError, match="low is above high"):
        Ordered(low=2)


def test_repr():
    class Small(PipelineTask):
        size: float = Param(2.5, unit="<px>", help="how <large> & wide")
        text: str = Param("<b>")

    assert repr(Small()) == "Small(size=2.5, text='<b>')"
    html = Small(text="<script>")._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "how &lt;large&gt; &amp; wide" in html
    assert "&lt;px&gt;" in html


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (bool, "true or false"), (int, "whole number"), (float, "number"), (str, "text"),
        (Any, "any value"), (Optional[int], "whole number or null"),  # noqa: UP045
        (Literal["a", 3], "'a' or 3"), (List[int], "list of whole number"),  # noqa: UP006
        (Tuple[float, ...], "list of number"), (Dict[str, int], "mapping"),  # noqa: UP006
        (list, "list"), (tuple, "list"), (dict, "mapping"),
    ],
)  # fmt: skip
def test_types_in_words(kind, words):
    class One(PipelineTask):
        value: Any = Param(None)

    One.parameters["value"].__dict__["annotation"] = kind
    assert One.parameters["value"].type_name == words
