"""Errors: their exit codes, their words, and that they survive pickling and copying."""

from __future__ import annotations

import copy
import pickle

import pytest

from cyto import errors
from cyto.errors import (
    CancelledError,
    ChannelError,
    ConfigError,
    CytoError,
    ParameterError,
    Problem,
    RunLockedError,
    TaskFailedError,
    TaskInputError,
    TaskOutputError,
    UnavailableError,
    nearest,
)

SAMPLES = [
    (ConfigError([Problem("is odd", "mend it", "p.yaml", 3, 5, "tasks.a")]), 2),
    (ChannelError("no such file", channel="tcell", path="/x", hint="look"), 2),
    (ParameterError("is odd", task="T", parameter="size", hint="mend it"), 2),
    (UnavailableError("is missing", hint="get it"), 3),
    (RunLockedError("another run", hint="wait"), 3),
    (TaskInputError("is odd", task="T", key="image", hint="mend it"), 1),
    (TaskOutputError("is odd", task="T", key="label", hint="mend it"), 1),
    (TaskFailedError("broke", node="n", reason="memory", traceback="t", log="/log"), 1),
    (CancelledError("stopped"), 130),
]
IDS = [type(error).__name__ for error, _ in SAMPLES]


@pytest.mark.parametrize(("error", "code"), SAMPLES, ids=IDS)
def test_exit_codes(error, code):
    assert isinstance(error, CytoError)
    assert error.exit_code == code


@pytest.mark.parametrize(("error", "code"), SAMPLES, ids=IDS)
@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_nothing_is_lost_on_the_way(error, code, again):
    other = again(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


def test_every_error_can_be_made_without_arguments():
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, CytoError):
            assert isinstance(str(kind()), str)


def test_words():
    assert [str(error) for error, _ in SAMPLES[:3]] == [
        "p.yaml:3:5: tasks.a: is odd\n    mend it",
        "channel 'tcell': no such file\n    look",
        "T.size: is odd\n    mend it",
    ]
    assert str(SAMPLES[5][0]) == "T: input 'image': is odd\n    mend it"
    assert str(SAMPLES[6][0]) == "T: output 'label': is odd\n    mend it"
    assert str(SAMPLES[7][0]) == "n: broke\n    log: /log"


@pytest.mark.parametrize(("task", "key"), [("Find input faults", "label"), ("", ""), ("T", "")])
def test_an_output_error_keeps_the_names_of_others(task, key):
    text = str(TaskOutputError("the input image was bad", task=task, key=key))
    assert "the input image was bad" in text
    assert task in text


@pytest.mark.parametrize(
    ("word", "choices", "said"),
    [
        ("diametr", ["diameter", "size"], "did you mean 'diameter'?"),
        ("DIAMETER", ["diameter", "size"], "did you mean 'diameter'?"),
        ("zzz", ["b", "a"], "known colours: a, b"),
        ("zzz", [], "there are no colours"),
    ],
)
def test_nearest(word, choices, said):
    assert nearest(word, choices, what="colour") == said
