"""What changed, in the words of the person who changed it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cyto.core.placement import Placement
from cyto.engine.changes import describe_changes
from cyto.engine.fingerprint import node_parts
from cyto.engine.plan import Node

NODE = Node(
    name="seg",
    task="cyto.segmentation.watershed.Watershed",
    params={"diameter": 25.0, "mode": "plain", "model": "/a/model", "name": "a"},
    placement=Placement(environment="docker", image="tasks:1", env=(("MODE", "fast"),)),
    seed=3,
)
TCELL, SEG, OTHER = "a" * 32, "b" * 32 + ".label", "c" * 32
INPUTS = {"image": TCELL, "label": SEG, "pixel_size_um": "0.65", "channel": "'tcell'"}
SOURCES = {"image": "tcell", "label": "seg.label"}
ENVIRONMENT = "docker sha256:1"
FILES = {"model": "d1"}


def parts(node=NODE, inputs=INPUTS, environment=ENVIRONMENT, files=FILES):
    return node_parts(node, inputs, environment, files)


def said(before, now, **kwargs):
    stored = json.loads(json.dumps(before))  # as the store gives it back
    return describe_changes(stored, now, **{"sources": SOURCES, "image": "tasks:1", **kwargs})


def with_params(**params):
    return {"node": replace(NODE, params={**NODE.params, **params})}


CHANGES = {
    "a number": (with_params(diameter=30), "parameter diameter 25 → 30"),
    "a fraction": (with_params(diameter=25.5), "parameter diameter 25 → 25.5"),
    "a text": (with_params(mode="fancy"), "parameter mode plain → fancy"),
    "to nothing": (with_params(mode=None), "parameter mode plain → null"),
    "to an empty text": (with_params(mode=""), 'parameter mode plain → ""'),
    "to a truth": (with_params(diameter=True), "parameter diameter 25 → true"),
    "to a list": (with_params(mode=["é", 1]), 'parameter mode plain → ["é", 1]'),
    "long": (with_params(mode="x" * 100), f"parameter mode plain → {'x' * 39}…"),
    "a new one": (with_params(more=1), "parameter more unset → 1"),
    "one to nothing": (with_params(more=None), "parameter more unset → null"),
    "one less": (
        {"node": replace(NODE, params={k: NODE.params[k] for k in ("diameter", "model", "name")})},
        "parameter mode plain → unset",
    ),
    "a file's content": ({"files": {"model": "d2"}}, "file of model"),
    "a name to a file": ({"files": {**FILES, "name": "d3"}}, "parameter name a → a file"),
    "a file to a name": ({"files": {}}, "parameter model a file → /a/model"),
    "a channel": ({"inputs": {**INPUTS, "image": OTHER}}, "input tcell"),
    "a node's result": ({"inputs": {**INPUTS, "label": OTHER + ".label"}}, "input seg.label"),
    "one input less": (
        {"inputs": {k: v for k, v in INPUTS.items() if k != "label"}, "sources": {"image": "t"}},
        "input label gone",
    ),
    "one input more": (
        {
            "inputs": {"image": TCELL, "label": SEG, "more": OTHER, **INPUTS},
            "sources": {**SOURCES, "more": "death"},
        },
        "input more added: death",
    ),
    "calibration": (
        {"inputs": {**INPUTS, "pixel_size_um": "0.5"}}, "pixel_size_um 0.65 → 0.5",
    ),
    "calibration gone": (
        {"inputs": {k: v for k, v in INPUTS.items() if k != "pixel_size_um"}},
        "pixel_size_um 0.65 → unset",
    ),
    "the channel's name": ({"inputs": {**INPUTS, "channel": "'t'"}}, "channel 'tcell' → 't'"),
    "the order": (
        {"inputs": {"label": SEG, "image": TCELL, **INPUTS}}, "the order of inputs",
    ),
    "the image": ({"environment": "docker sha256:2"}, "image digest of tasks:1"),
    "the environment": (
        {"environment": "baremetal python 3.11.2 cyto 1"}, "environment docker → baremetal",
    ),
    "a variable": (
        {"node": replace(NODE, placement=Placement(env=(("MODE", "slow"),)))},
        "variable MODE fast → slow",
    ),
    "no variable": ({"node": replace(NODE, placement=Placement())}, "variable MODE fast → unset"),
    "the seed": ({"node": replace(NODE, seed=4)}, "seed 3 → 4"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_one_change_is_said_and_nothing_else(case):
    other, words = CHANGES[case]
    sources = {"sources": other.get("sources", SOURCES)}
    other = {k: v for k, v in other.items() if k != "sources"}
    assert said(parts(), parts(**other), **sources) == [words]


def test_nothing_changed():
    assert said(parts(), parts()) == []
    assert said(parts(), parts(node=replace(NODE, name="renamed", retries=3))) == []


def test_the_code(tmp_path):
    module = tmp_path / "mine.py"
    module.write_text("class CellPose: pass\n")
    node = replace(NODE, task="mine.CellPose", code=(str(module),))
    before = parts(node)
    module.write_text("class CellPose: x = 1\n")
    assert said(before, parts(node)) == ["code of CellPose"]


def test_another_task_says_it_all():
    other = replace(NODE, task="cyto.segmentation.cellpose.CellPose", params={"x": 1}, seed=4)
    assert said(parts(), parts(other, files={})) == ["task Watershed → CellPose"]


def test_versions_on_bare_metal():
    before, now = "baremetal python 3.11.2 cyto 1.0", "baremetal python 3.12.1 cyto 1.1"
    assert said(parts(environment=before), parts(environment=now), image=None) == [
        "environment: python 3.11.2 → 3.12.1, cyto 1.0 → 1.1"
    ]


def test_several_at_once_the_likely_cause_first():
    now = parts(replace(NODE, params={**NODE.params, "diameter": 30}, seed=4), files={"model": "x"})
    assert said(parts(), now) == ["file of model", "parameter diameter 25 → 30", "seed 3 → 4"]


def test_what_is_not_known_yet_does_not_count():
    now = parts(replace(NODE, seed=4), inputs={"image": OTHER})
    assert said(parts(), now, unknown=["label"]) == ["input tcell", "seed 3 → 4"]


def test_a_store_of_another_time():
    assert said({"format": 1}, parts()) == ["the format of pyCyto's store"]
