"""What was published gets to the disk: one sync for many, and before the run is called finished."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from cyto.engine import durability
from cyto.engine.durability import GroupCommit, full_disk_explained
from cyto.engine.manager import TaskManager
from cyto.engine.planning import make_plan
from cyto.engine.store import Store
from cyto.errors import UnavailableError


@pytest.fixture
def syncs(monkeypatch):
    """Note each real sync, once it is done."""
    done, sync = [], durability._sync_file_system

    def noted(fd):
        sync(fd)
        done.append(threading.current_thread().name)

    monkeypatch.setattr(durability, "_sync_file_system", noted)
    return done


@pytest.fixture
def disk(tmp_path):
    disk = GroupCommit(tmp_path, interval_s=0.01)
    yield disk
    disk.close()


def test_what_is_noted_is_synced_in_the_background(disk, syncs, wait_for):
    assert syncs == []
    disk.note()
    wait_for(lambda: syncs == ["disk"], "the sync")
    disk.note()
    wait_for(lambda: syncs == ["disk"] * 2, "the next")


def test_one_sync_serves_many(tmp_path, syncs, wait_for):
    disk = GroupCommit(tmp_path, interval_s=600)
    disk.note()
    wait_for(lambda: syncs, "the first, which comes at once")
    for _ in range(1000):
        disk.note()
    disk.flush()
    disk.close()
    assert syncs == ["disk", threading.current_thread().name]


def test_no_thread_for_those_who_only_read(tmp_path, syncs):
    before = threading.active_count()
    store = Store(tmp_path / "store")
    assert store.get("0" * 32) is None
    assert threading.active_count() == before


def test_a_disk_that_did_not_take_it_is_said(disk, monkeypatch, wait_for):
    tried = []

    def fails(fd):
        tried.append(fd)
        if len(tried) == 1:  # the system tells of a fault once
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durability, "_sync_file_system", fails)
    disk.note()
    wait_for(lambda: tried, "the sync in the background")
    with pytest.raises(UnavailableError, match="did not reach the disk: Input/output error"):
        disk.flush()


def test_a_folder_that_cannot_be_synced_is_said(tmp_path):
    disk = GroupCommit(tmp_path / "gone")
    with pytest.raises(UnavailableError, match="No such file"):
        disk.flush()
    disk.close()


def test_a_system_without_syncfs(disk, monkeypatch):
    called = []
    monkeypatch.setattr(durability.ctypes, "CDLL", lambda *_, **__: object())
    monkeypatch.setattr(os, "sync", lambda: called.append("sync"))
    disk.flush()
    assert called == ["sync"]


def test_a_run_is_finished_when_all_is_on_the_disk(lab, syncs):
    lab.write("tasks: {a: {module: MODULE.Source}, b: {module: MODULE.Source, output: true}}")
    at = {}

    def listen(event):
        at[event["event"]] = len(syncs)

    assert TaskManager(make_plan(lab.pipeline), listeners=(listen,)).run().exit_code == 0
    assert at["run_finished"] > at["node_finished"] >= 0
    assert syncs[-1] == threading.current_thread().name
    assert "disk" not in [thread.name for thread in threading.enumerate()]


def test_a_run_whose_results_did_not_reach_the_disk_is_not_finished(lab, monkeypatch):
    def fails(fd):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durability, "_sync_file_system", fails)
    lab.write("tasks: {a: {module: MODULE.Source}}")
    events = []
    manager = TaskManager(make_plan(lab.pipeline), listeners=(lambda e: events.append(e["event"]),))
    with pytest.raises(UnavailableError, match="did not reach the disk: No space left") as caught:
        manager.run()
    assert str(lab / "output" / ".cyto" / "store") in str(caught.value)
    assert "node_finished" in events
    assert "run_finished" not in events


def test_other_errors_pass_unchanged(tmp_path):
    with pytest.raises(PermissionError), full_disk_explained(tmp_path):
        raise PermissionError(errno.EACCES, "no", "file")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_explained(code, tmp_path):
    with pytest.raises(UnavailableError) as caught, full_disk_explained(tmp_path):
        raise OSError(code, os.strerror(code), "manifest.json")
    assert f"{os.strerror(code)} on the disk of {tmp_path} while manifest.json was" in str(
        caught.value
    )
    assert "--output-dir" in caught.value.hint
