"""Requests and results survive JSON, and their paths can be moved."""

from __future__ import annotations

import json

import pytest

from cyto.core.request import Ref, TaskRequest, TaskResult

REFS = [
    Ref("image", "npy", "/a b/é.npy", dtype="<u2", shape=(3, 4, 5)),
    Ref("image", "array", "/a.tif", dtype=">f4", shape=(1, 2, 3), strides=(0, -12, 4), offset=8),
    Ref("dataframe", "arrow", "/t.arrow", columns=("label", "frame")),
    Ref("dataframe", "arrow", "/t.arrow", columns=()),
    Ref("network", "json", "/n.json"),
    Ref("value", "inline", value={"a": [1, 2.5, None, True, "x"]}),
    Ref("value", "inline", value=None),
    Ref("value", "inline", value=0),
    Ref("file", "file", "/f.csv"),
]


def through_json(data):
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("ref", REFS, ids=lambda ref: f"{ref.kind}-{ref.format}")
def test_reference(ref):
    assert Ref.from_json(through_json(ref.to_json())) == ref


def test_a_reference_says_only_what_differs_from_the_defaults():
    assert Ref("value", "inline", value=3).to_json() == {
        "kind": "value", "format": "inline", "value": 3,
    }  # fmt: skip


def test_reference_moved():
    ref = REFS[0].moved(lambda path: "/inside" + path)
    assert ref.path == "/inside/a b/é.npy"
    assert (ref.dtype, ref.shape) == (REFS[0].dtype, REFS[0].shape)
    assert REFS[5].moved(lambda _: pytest.fail("nothing to move")) is REFS[5]


FULL = TaskRequest(
    task="lab.tasks.Find",
    params={"size": 3, "model": "/host/model", "names": ["a"], "other": "/host/other"},
    inputs={"image": REFS[0], "size": REFS[5]},
    folder="/host/job",
    node="find",
    frames=(2, 5),
    seed=7,
    path_params=("model",),
    code=("/host/lab",),
)


@pytest.mark.parametrize("request_", [FULL, TaskRequest(task="a.B")])
def test_request(request_):
    assert TaskRequest.from_json(through_json(request_.to_json())) == request_


def test_request_moved():
    moved = FULL.moved(lambda path: path.replace("/host", "/cyto").replace("/a b", "/cyto/in"))
    assert moved.folder == "/cyto/job"
    assert moved.code == ("/cyto/lab",)
    assert moved.inputs["image"].path == "/cyto/in/é.npy"
    assert moved.inputs["size"] == FULL.inputs["size"]
    assert moved.params["model"] == "/cyto/model"
    assert moved.params["other"] == "/host/other", "only what is declared as a path is moved"
    assert (moved.frames, moved.seed, moved.node) == (FULL.frames, FULL.seed, FULL.node)


@pytest.mark.parametrize(
    "result",
    [
        TaskResult(outputs={"label": REFS[0], "n": REFS[5]}, wall_s=1.5, versions={"numpy": "2"}),
        TaskResult(reason="memory", message="too much", traceback="…", peak_bytes=5),
        TaskResult(),
    ],
)
def test_result(result):
    assert TaskResult.from_json(through_json(result.to_json())) == result
    assert result.ok == (result.reason == "")
