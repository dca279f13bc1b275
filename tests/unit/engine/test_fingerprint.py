"""A result's key changes with everything that it depends on, and with nothing else."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest

from cyto.core.placement import Placement, Resources
from cyto.engine.fingerprint import code_digest, file_digest, node_parts, parts_key
from cyto.engine.plan import Node, Source

NODE = Node(
    name="seg",
    task="cyto.preprocessing.normalization.PercentileNormalization",
    params={"lp": 1.0, "model": "/a/model"},
    inputs={"image": Source(name="tcell")},
    seed=3,
)
INPUTS = {"image": "abc"}


def key(node=NODE, inputs=INPUTS, environment="baremetal", files=None):
    return parts_key(node_parts(node, inputs, environment, files or {}))


def test_a_key_is_32_digits():
    assert len(key()) == 32
    assert int(key(), 16) >= 0
    assert key() == key()


@pytest.mark.parametrize(
    "other",
    [
        {"node": replace(NODE, params={"lp": 2.0, "model": "/a/model"})},
        {"node": replace(NODE, params={"lp": 1.0})},
        {"node": replace(NODE, task="cyto.segmentation.watershed.Watershed")},
        {"node": replace(NODE, seed=4)},
        {"inputs": {"image": "abd"}},
        {"inputs": {"other": "abc"}},
        {"inputs": {}},
        {"environment": "docker sha256:1"},
        {"files": {"model": "digest"}},
    ],
)
def test_it_changes_with(other):
    assert key(**other) != key()


@pytest.mark.parametrize(
    "other",
    [
        {"node": replace(NODE, name="another")},
        {"node": replace(NODE, tags=("a",), export=True, retries=3, dependencies=("x",))},
        {"node": replace(NODE, inputs={"image": Source(name="renamed")})},
        {"node": replace(NODE, params=dict(reversed(NODE.params.items())))},
        {"node": replace(NODE, placement=Placement(resources=Resources(cpus=9), source="a:1"))},
    ],
)
def test_it_does_not_change_with(other):
    assert key(**other) == key()


def test_a_file_counts_by_its_content_not_its_path():
    moved = replace(NODE, params={**NODE.params, "model": "/b/model"})
    assert key(moved, files={"model": "d"}) == key(files={"model": "d"})
    assert key(files={"model": "d"}) != key(files={"model": "e"})


def test_variables_of_the_profile_count():
    node = replace(NODE, placement=Placement(environment="docker", env=(("MODE", "fast"),)))
    assert key(node) != key(replace(node, placement=Placement(environment="docker")))


def test_the_code_of_a_users_module_counts(tmp_path):
    module = tmp_path / "mine.py"
    module.write_text("class T: pass\n")
    node = replace(NODE, task="mine.T", code=(str(module),))
    before = key(node)
    module.write_text("class T: value = 1\n")
    assert key(node) != before


def test_every_module_of_a_users_package_counts(tmp_path):
    package = tmp_path / "mine"
    (package / "deep").mkdir(parents=True)
    for name in ("__init__.py", "tasks.py", "deep/helper.py"):
        (package / name).write_text("")
    node = replace(NODE, task="mine.tasks.T", code=(str(package),))
    before = key(node)
    (package / "deep" / "helper.py").write_text("x = 1\n")
    after = key(node)
    assert after != before
    (package / "data.txt").write_text("no code")
    assert key(node) == after


def test_the_code_of_our_own_tasks_counts_and_that_of_the_engine_does_not(monkeypatch, tmp_path):
    task = "cyto.preprocessing.normalization.PercentileNormalization"
    module = importlib.import_module("cyto.engine.fingerprint")
    files = list(module._imported(task.rpartition(".")[0]))
    assert {"normalization.py", "_normalization.py"} <= {path.name for path in files}
    assert {path.parent.name for path in files} == {"preprocessing"}
    assert code_digest(task) != code_digest("cyto.segmentation.watershed.Watershed")


def test_files_and_folders(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        (folder / "deep").mkdir(parents=True)
        (folder / "a.bin").write_bytes(b"abc")
        (folder / "deep" / "b.bin").write_bytes(b"def")
    assert file_digest(one) == file_digest(two)
    assert file_digest(one / "a.bin") == file_digest(two / "a.bin")
    assert file_digest(one / "a.bin") != file_digest(one / "deep" / "b.bin")
    (two / "deep" / "b.bin").rename(two / "deep" / "c.bin")
    assert file_digest(one) != file_digest(two), "names in a folder count"
    (one / "a.bin").write_bytes(b"abd")
    assert file_digest(one / "a.bin") != file_digest(two / "a.bin")


def test_where_one_file_ends_and_the_next_begins_counts(tmp_path):
    for name, parts in (("one", (b"ab", b"c")), ("two", (b"a", b"bc"))):
        (tmp_path / name).mkdir()
        for file, data in zip("xy", parts, strict=True):
            (tmp_path / name / file).write_bytes(data)
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "x").write_bytes(b"aby")
    (tmp_path / "four").mkdir()
    (tmp_path / "four" / "xa").write_bytes(b"by")
    digests = {file_digest(tmp_path / name) for name in ("one", "two", "three", "four")}
    assert len(digests) == 4
