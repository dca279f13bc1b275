"""Results without files are lines: there whole or not at all, whatever a crash or a disk does."""

from __future__ import annotations

import errno
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cyto.core.request import Ref
from cyto.engine import values as values_module
from cyto.engine.cleaning import remove
from cyto.engine.inventory import Item
from cyto.engine.store import Entry, Store
from cyto.engine.values import ValueLines
from cyto.runners import exchange

KEYS = [f"{number:032x}" for number in range(4)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "values.jsonl"


def filled(path, count=3):
    lines = ValueLines(path)
    for number, key in enumerate(KEYS[:count]):
        lines.add(key, {"n": number, "text": "é\n"})
    return lines


def found(path):
    """Read as a new process would: what is whole."""
    lines, whole = ValueLines(path), {}
    for key in lines:
        try:
            whole[key] = (lines.get(key) or {}).get("n")
        except ValueError:
            whole[key] = "damaged"
    return whole


def test_what_is_added_is_there(path):
    lines = filled(path)
    assert lines.get(KEYS[1])["n"] == 1
    assert lines.get(KEYS[3]) is None
    assert KEYS[0] in lines
    assert KEYS[3] not in lines
    assert found(path) == {KEYS[0]: 0, KEYS[1]: 1, KEYS[2]: 2}
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [0, 1, 2]
    assert sum(map(lines.size, lines)) == path.stat().st_size


def test_the_last_line_of_a_key_counts(path):
    lines = filled(path)
    lines.add(KEYS[0], {"n": "new"})
    lines.forget(KEYS[1])
    lines.forget(KEYS[3])
    wanted = {KEYS[0]: "new", KEYS[2]: 2}
    assert {key: lines.get(key)["n"] for key in lines} == found(path) == wanted
    lines.add(KEYS[1], {"n": "again"})
    assert found(path)[KEYS[1]] == "again"


@pytest.mark.parametrize("cut", range(2, 150, 7))
def test_a_line_that_was_cut_costs_nothing_but_itself(cut, path):
    filled(path)
    os.truncate(path, path.stat().st_size - cut)
    left = path.read_bytes().count(b"\n")
    assert left in {1, 2}
    kept = {key: number for number, key in enumerate(KEYS[:left])}
    assert found(path) == kept
    lines = ValueLines(path)
    lines.add(KEYS[3], {"n": 3})
    assert lines.get(KEYS[3])["n"] == 3
    assert {k: v for k, v in found(path).items() if v != "damaged"} == {**kept, KEYS[3]: 3}


@pytest.mark.parametrize("at", [0, 5, 12, 45, 50, 65, 80, 90, -2, -1])
def test_a_flipped_bit_is_found(at, path):
    filled(path)
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    middle = bytearray(lines[1])
    middle[at] ^= 1
    path.write_bytes(lines[0] + bytes(middle) + lines[2])
    whole = found(path)
    assert whole[KEYS[0]] == 0
    assert whole.get(KEYS[1], "damaged") == "damaged"
    assert whole.get(KEYS[2], "damaged") in {2, "damaged"}, "with the line's end its neighbour goes"
    assert whole.get(KEYS[2]) == 2 or at == -1


@pytest.mark.parametrize("tail", [bytes(4096), b"\xff\xfe{}[", b'{"key": "'])
def test_what_a_power_loss_leaves_at_the_end(tail, path):
    filled(path)
    with path.open("ab") as file:
        file.write(tail)
    assert {k: v for k, v in found(path).items() if v != "damaged"} == {
        KEYS[0]: 0,
        KEYS[1]: 1,
        KEYS[2]: 2,
    }
    ValueLines(path).add(KEYS[3], {"n": 3})
    assert found(path)[KEYS[3]] == 3


def test_a_disk_that_is_full_in_the_middle_of_a_line(path, monkeypatch):
    lines = filled(path)
    write, room = os.write, [40, 0]

    def full(file, data):
        take = room.pop(0)
        if not take:
            raise OSError(errno.ENOSPC, "no space")
        return write(file, data[:take])

    monkeypatch.setattr(values_module.os, "write", full)
    with pytest.raises(OSError, match="no space"):
        lines.add(KEYS[3], {"n": 3})
    monkeypatch.undo()
    assert lines.get(KEYS[3]) is None
    lines.add(KEYS[3], {"n": "later"})
    assert lines.get(KEYS[3])["n"] == "later"
    assert found(path) == {KEYS[0]: 0, KEYS[1]: 1, KEYS[2]: 2, KEYS[3]: "later"}


def test_many_threads(path):
    lines = ValueLines(path)
    together = threading.Barrier(8, timeout=10)

    def add(number):
        together.wait()
        for step in range(50):
            key = f"{number:016x}{step:016x}"
            lines.add(key, {"n": [number, step]})
            assert lines.get(key)["n"] == [number, step]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(8)))
    assert len(found(path)) == 400
    assert "damaged" not in found(path).values()


def entry(key, value):
    return Entry(key=key, outputs={"v": Ref("value", "inline", value=value)}, facts={"run": "r"})


def test_a_store_takes_values_without_a_folder(tmp_path):
    store, none = Store(tmp_path / "store"), tmp_path / "job" / "out"
    store.publish(KEYS[0], none, entry(KEYS[0], [1, 2]))
    for each in (store, Store(tmp_path / "store")):
        assert each.get(KEYS[0]) == each.look(KEYS[0]) == entry(KEYS[0], [1, 2])
    assert not store.path(KEYS[0]).exists()
    store.publish(KEYS[0], none, entry(KEYS[0], "another's"))
    assert store.get(KEYS[0]).outputs["v"].value == [1, 2], "who published first"
    store.publish(KEYS[0], none, entry(KEYS[0], "forced"), again=True)
    assert Store(tmp_path / "store").get(KEYS[0]).outputs["v"].value == "forced"


def test_a_damaged_line_is_forgotten_and_made_again(tmp_path):
    store, none = Store(tmp_path / "store"), tmp_path / "job" / "out"
    store.publish(KEYS[0], none, entry(KEYS[0], 12345))
    path = store.values.path
    path.write_bytes(path.read_bytes().replace(b"12345", b"12346"))
    store = Store(tmp_path / "store")
    with pytest.raises(ValueError, match=KEYS[0]):
        store.look(KEYS[0])
    assert store.get(KEYS[0]) is None
    assert store.look(KEYS[0]) is None
    store.publish(KEYS[0], none, entry(KEYS[0], 12345))
    assert Store(tmp_path / "store").get(KEYS[0]).outputs["v"].value == 12345


def test_a_forced_result_takes_the_place_of_one_of_the_other_kind(tmp_path):
    store, out = Store(tmp_path / "store"), tmp_path / "job" / "out"

    def publish_files():
        outputs = {"v": exchange.save(["x" * 5000], "value", out, "v")}
        store.publish(KEYS[0], out, Entry(key=KEYS[0], outputs=outputs), again=True)

    for _ in range(2):
        publish_files()
        assert exchange.load(Store(store.folder).get(KEYS[0]).outputs["v"]) == ["x" * 5000]
        assert KEYS[0] not in store.values
        store.publish(KEYS[0], out, entry(KEYS[0], 1), again=True)
        assert Store(store.folder).get(KEYS[0]).outputs["v"].value == 1
        assert not store.path(KEYS[0]).exists()


def test_cleaning_writes_the_rest_anew(path):
    lines = filled(path)
    lines.add(KEYS[0], {"n": "new"})

    def item(key):
        return Item(kind="result", name="n", paths=(path,), size=1, used=0.0, key=key)

    assert remove([item(KEYS[1]), item(KEYS[2])]) == []
    assert found(path) == {KEYS[0]: "new"}
    assert len(path.read_bytes().splitlines()) == 1, "what counts no more is gone, too"
    assert remove([item(KEYS[0])]) == []
    assert not path.exists()
    assert not path.with_suffix(".part").exists()
