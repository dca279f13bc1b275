"""Digests depend on contents and selection alone, and are not computed twice."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tifffile
import xxhash

from cyto.errors import ChannelError
from cyto.io import digests
from cyto.io.channels import channel_digest
from cyto.io.digests import digest_files

OLD_NS = time.time_ns() - 3_600_000_000_000


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "cache" / "digests.jsonl"


@pytest.fixture
def hashed(monkeypatch):
    """The paths that were really read."""
    paths = []
    real = digests._hash
    monkeypatch.setattr(
        digests, "_hash", lambda path, new: (paths.append(path), real(path, new))[1]
    )
    return paths


def write(path, data, mtime_ns=OLD_NS):
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return str(path)


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, (4 << 20) + 5])
def test_it_is_xxh3_of_the_contents(tmp_path, memory, size):
    data = os.urandom(size)
    path = write(tmp_path / "a", data)
    assert digest_files([path], memory) == [xxhash.xxh3_128_hexdigest(data)]


def test_an_unchanged_file_is_read_once(tmp_path, memory, hashed):
    paths = [write(tmp_path / name, name.encode()) for name in ("a b", "é", 'q"', "n\nl")]
    first = digest_files(paths, memory)
    assert digest_files(paths[::-1], memory) == first[::-1]
    assert sorted(hashed) == sorted(paths)


def test_a_changed_file_is_read_again(tmp_path, memory, hashed):
    path = write(tmp_path / "a", b"one")
    first = digest_files([path], memory)
    write(tmp_path / "a", b"two", OLD_NS + 1)
    assert digest_files([path], memory) != first
    (tmp_path / "b").write_bytes(b"six")
    os.utime(tmp_path / "b", ns=(OLD_NS + 1, OLD_NS + 1))
    (tmp_path / "b").replace(path)
    assert digest_files([path], memory) == [xxhash.xxh3_128_hexdigest(b"six")]
    assert len(hashed) == 3


def test_a_fresh_file_is_not_remembered(tmp_path, memory, hashed):
    now = time.time_ns()
    path = write(tmp_path / "a", b"one", now)
    first = digest_files([path], memory)
    write(tmp_path / "a", b"two", now)
    assert digest_files([path], memory) != first
    assert not memory.exists()


def test_a_file_from_the_future_is_not_remembered(tmp_path, memory):
    digest_files([write(tmp_path / "a", b"one", time.time_ns() + 10**12)], memory)
    assert not memory.exists()


def test_a_file_that_keeps_changing(tmp_path, memory, monkeypatch):
    path = write(tmp_path / "a", b"one")
    sizes = itertools.count(10)
    monkeypatch.setattr(digests, "_hash", lambda p, _: Path(p).write_bytes(bytes(next(sizes))))
    with pytest.raises(ChannelError, match="changes while it is read"):
        digest_files([path], memory)
    with pytest.raises(ChannelError, match="cannot read"):
        digest_files([path + "-gone"], memory)


def test_a_damaged_memory_is_no_harm(tmp_path, memory, hashed):
    path = write(tmp_path / "a", b"one")
    first = digest_files([path], memory)
    memory.write_bytes(b"\xff\xfe[1, 2\n{}\n[]\n3\n" + memory.read_bytes() + b'["torn')
    assert digest_files([path], memory) == first
    assert len(hashed) == 1


def test_a_memory_that_cannot_be_written_is_no_harm(tmp_path):
    path = write(tmp_path / "a", b"one")
    assert digest_files([path], tmp_path) == [xxhash.xxh3_128_hexdigest(b"one")]


def test_many_at_once(tmp_path, memory):
    paths = [write(tmp_path / f"f{i}", str(i).encode()) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: digest_files(paths, memory), range(8)))
    assert all(result == results[0] for result in results)
    lines = [json.loads(line) for line in memory.read_text().splitlines()]
    assert {line[0] for line in lines} == set(paths)


def test_a_channel_is_its_contents_and_selection(here, movie, memory):
    stack = movie(6, 30, 40)
    tifffile.imwrite(here / "a.tif", stack, photometric="minisblack")
    tifffile.imwrite(here / "b.tif", stack, photometric="minisblack")
    tifffile.imwrite(here / "c.tif", stack + 1, photometric="minisblack")

    def digest(name, **spec):
        return channel_digest(here.inspect(name, **spec), memory)

    whole = digest("a.tif")
    assert len(whole) == 32
    assert digest("b.tif") == whole
    assert digest("a.tif", frames=(0, 6, 1), crop={"y": (0, 30)}) == whole
    others = [
        digest("c.tif"),
        digest("a.tif", frames=(0, 5, None)),
        digest("a.tif", frames=(None, None, 2)),
        digest("a.tif", crop={"y": (0, 29)}),
        digest("a.tif", crop={"x": (0, 29)}),
        digest("a.tif", axes="CYX", channel=0),
        digest("a.tif", pixel_size_um=0.5),
        digest("a.tif", frame_interval_s=60.0),
    ]
    assert len({whole, *others}) == len(others) + 1


def test_another_hash_has_its_own_memory(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    os.utime(path, ns=(10**18, 10**18))
    ours, theirs = tmp_path / "xxh3", tmp_path / "sha256"
    for _ in range(2):
        (digest,) = digest_files([str(path)], theirs, hashlib.sha256)
        assert digest == hashlib.sha256(b"abc").hexdigest()
        assert digest_files([str(path)], ours) == [xxhash.xxh3_128_hexdigest(b"abc")]
    assert theirs.read_text().count(digest) == 1
