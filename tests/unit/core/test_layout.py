"""Where a run's files are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyto.core.layout import SAFE_NAME, JobLayout, RunLayout, cache_folder


def test_files_of_a_run():
    run = RunLayout(Path("/out"), "r1")
    assert run.lock == Path("/out/.cyto/lock")
    assert run.record == Path("/out/.cyto/runs/r1/events.jsonl")
    assert run.log("seg") == Path("/out/logs/seg.log")
    assert run.export("seg") == Path("/out/seg")
    assert run.job("baremetal-0", "seg").folder == run.jobs / "baremetal-0" / "seg"
    assert run.store.parent == run.state, "beside the jobs, so that a rename publishes"


def test_no_two_files_of_a_job_share_a_name():
    job = JobLayout(Path("/job"))
    names = [job.request, job.result, job.command, job.log, job.out]
    assert len(set(names)) == len(names)
    assert {name.parent for name in names} == {job.folder}


@pytest.mark.parametrize("name", ["a", "seg-1", "T.cells_2", "x" * 128])
def test_safe_names(name):
    assert SAFE_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "-x", "a/b", "a b", "é", "a\n", "x" * 129])
def test_unsafe_names(name):
    assert not SAFE_NAME.fullmatch(name)


def test_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CYTO_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("CYTO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/cyto")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/cyto")
