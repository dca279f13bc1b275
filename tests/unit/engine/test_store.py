"""Results are there whole or not at all, and what a disk or a crash spoils is found."""

from __future__ import annotations

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cyto.core.request import Ref
from cyto.engine import replacement
from cyto.engine import store as store_module
from cyto.engine.store import Entry, Store
from cyto.runners import exchange

KEY = "0123456789abcdef0123456789abcdef"
MOVIE = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def make(folder: Path, movie=MOVIE) -> Entry:
    folder.mkdir(parents=True)
    outputs = {
        "image": exchange.save(movie, "image", folder, "image"),
        "n": exchange.save(3, "value", folder, "n"),
        "big": exchange.save(["x" * 5000], "value", folder, "big"),
    }
    return Entry(key=KEY, outputs=outputs, context={"pixel_size_um": 0.5}, facts={"wall_s": 1.0})


@pytest.fixture
def published(store, tmp_path):
    out = tmp_path / "job" / "out"
    return store.publish(KEY, out, make(out))


def contents(entry):
    return {name: exchange.load(ref) for name, ref in entry.outputs.items()}


def test_what_is_published_is_there(store, published, tmp_path):
    found = store.get(KEY)
    assert found == published
    assert (found.context, found.facts) == ({"pixel_size_um": 0.5}, {"wall_s": 1.0})
    np.testing.assert_array_equal(contents(found)["image"], MOVIE)
    assert contents(found)["n"] == 3
    assert contents(found)["big"] == ["x" * 5000]
    assert Path(found.outputs["image"].path).is_relative_to(store.path(KEY))
    assert not (tmp_path / "job" / "out").exists(), "moved, not copied"


def test_what_is_not_there_is_not_there(store):
    assert store.get(KEY) is None


def test_it_can_be_moved_with_its_folder(store, published, tmp_path):
    shutil.move(store.folder, tmp_path / "elsewhere")
    found = Store(tmp_path / "elsewhere").get(KEY)
    np.testing.assert_array_equal(contents(found)["image"], MOVIE)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    "a flipped bit": lambda folder: flip(folder / "image.npy", -1),
    "a flipped bit in text": lambda folder: flip(folder / "big.json", 100),
    "cut": lambda folder: (folder / "image.npy").write_bytes(b""),
    "longer": lambda folder: (folder / "image.npy").write_bytes(
        (folder / "image.npy").read_bytes() + b"x"
    ),
    "a file gone": lambda folder: (folder / "big.json").unlink(),
    "manifest gone": lambda folder: (folder / "manifest.json").unlink(),
    "manifest empty": lambda folder: (folder / "manifest.json").write_bytes(b""),
    "manifest cut": lambda folder: (folder / "manifest.json").write_bytes(
        (folder / "manifest.json").read_bytes()[:-40]
    ),
    "manifest of zeros": lambda folder: (folder / "manifest.json").write_bytes(b"\0" * 100),
    "manifest of other JSON": lambda folder: (folder / "manifest.json").write_bytes(b"[1]"),
    "manifest no text": lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe"),
    "another value in the manifest": lambda folder: (folder / "manifest.json").write_text(
        (folder / "manifest.json").read_text().replace('"value": 3', '"value": 4')
    ),
    "a folder instead of a file": lambda folder: (
        (folder / "image.npy").unlink(),
        (folder / "image.npy").mkdir(),
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_and_removed(kind, store, published, tmp_path):
    DAMAGE[kind](store.path(KEY))
    assert store.get(KEY) is None
    assert not store.path(KEY).exists()
    assert list(store.folder.rglob(".discard*")) == []
    out = tmp_path / "again" / "out"
    store.publish(KEY, out, make(out))
    np.testing.assert_array_equal(contents(store.get(KEY))["image"], MOVIE)


def test_the_second_of_two_publishers_takes_the_firsts(store, published, tmp_path):
    out = tmp_path / "other" / "out"
    second = store.publish(KEY, out, make(out))
    assert second.outputs == published.outputs
    assert not out.exists()
    assert store.get(KEY) is not None


def test_many_publishers_at_once(store, tmp_path):
    outs = [tmp_path / str(i) / "out" for i in range(8)]
    entries = [make(out) for out in outs]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(store.publish, [KEY] * 8, outs, entries))
    assert all(each.outputs == found[0].outputs for each in found)
    np.testing.assert_array_equal(contents(store.get(KEY))["image"], MOVIE)
    assert [p.name for p in store.path(KEY).parent.iterdir()] == [KEY]


def test_two_readers_find_the_same_damage(store, published, monkeypatch):
    flip(store.path(KEY) / "big.json", 100)
    both, checksum = threading.Barrier(2, timeout=10), store_module._checksum

    def together(path):
        result = checksum(path)
        both.wait()
        return result

    monkeypatch.setattr(store_module, "_checksum", together)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(store.get, [KEY] * 2)) == [None] * 2


def test_a_look_compares_sizes_and_changes_nothing(store, published):
    assert store.look(KEY) == published
    assert store.look("f" * 32) is None
    flip(store.path(KEY) / "image.npy", -1)
    assert store.look(KEY) == published, "no checksum is computed"
    for kind in ("cut", "a file gone", "manifest gone", "another value in the manifest"):
        shutil.rmtree(store.path(KEY))
        out = store.folder.parent / "next" / "out"
        store.publish(KEY, out, make(out))
        DAMAGE[kind](store.path(KEY))
        with pytest.raises(ValueError, match=KEY):
            store.look(KEY)
        assert store.path(KEY).exists(), "left as it is"
        shutil.rmtree(out.parent)


@pytest.mark.parametrize("exchanges", [True, False], ids=["one step", "two renames"])
def test_an_entry_is_replaced(exchanges, store, published, tmp_path, monkeypatch):
    if not exchanges:
        monkeypatch.setattr(replacement, "_exchange", lambda *_: False)
    old = exchange.load(published.outputs["image"])
    out = tmp_path / "again" / "out"
    new = store.publish(KEY, out, make(out, MOVIE + 1), again=True)
    assert store.get(KEY) == new
    np.testing.assert_array_equal(contents(new)["image"], MOVIE + 1)
    np.testing.assert_array_equal(old, MOVIE, "who has it mapped keeps it")
    assert not out.exists()
    assert [p.name for p in store.path(KEY).parent.iterdir()] == [KEY]


def test_this_file_system_exchanges_in_one_step(tmp_path):
    """Else the test above never saw it."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not replacement._exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("a file system without RENAME_EXCHANGE")
    assert (tmp_path / "a" / "b").exists()
    assert (tmp_path / "b" / "a").exists()
    assert not replacement._exchange(tmp_path / "a", tmp_path / "none")


def test_what_is_damaged_or_not_there_is_replaced_too(store, published, tmp_path):
    DAMAGE["manifest gone"](store.path(KEY))
    for key in (KEY, "f" * 32):
        out = tmp_path / key / "out"
        store.publish(key, out, make(out), again=True)
        np.testing.assert_array_equal(contents(store.get(key))["image"], MOVIE)


def test_outputs_may_lie_in_folders_and_be_empty(store, tmp_path):
    out = tmp_path / "job" / "out"
    (out / "deep").mkdir(parents=True)
    (out / "deep" / "empty.bin").touch()
    entry = Entry(key=KEY, outputs={"f": Ref("file", "file", str(out / "deep" / "empty.bin"))})
    store.publish(KEY, out, entry)
    assert Path(store.get(KEY).outputs["f"].path).read_bytes() == b""


def test_only_values(store, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    store.publish(KEY, out, Entry(key=KEY, outputs={"n": Ref("value", "inline", value=None)}))
    assert store.get(KEY).outputs == {"n": Ref("value", "inline", value=None)}


def test_the_manifest_is_json_that_people_can_read(store, published):
    manifest = json.loads((store.path(KEY) / "manifest.json").read_text())
    assert manifest["outputs"]["image"]["shape"] == [2, 3, 4]
    assert manifest["outputs"]["image"]["path"] == "image.npy"


def test_published_again_after_a_kill_just_before_the_rename(store, tmp_path):
    out = tmp_path / "job" / "out"
    entry = make(out)
    (out / "manifest.json").write_text('{"half": ')
    store.publish(KEY, out, entry)
    np.testing.assert_array_equal(contents(store.get(KEY))["image"], MOVIE)
