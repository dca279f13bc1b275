"""A node split into chunks gives what it gives as a whole, and goes on where it was stopped."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile

from cyto.core.request import Ref, TaskResult
from cyto.engine.chunks import Parts
from cyto.engine.manager import TaskManager
from cyto.engine.planning import make_plan
from cyto.engine.record import read_events
from cyto.runners import exchange

PIPELINE = """
channels: {tcell: long.tif}
tasks:
  frame: {module: MODULE.Frame, params: {pause_s: PAUSE}, output: true}
"""
LENGTH = 11


@pytest.fixture
def movie(lab):
    """Give a movie that is bright from its middle on, with one dark frame."""
    pixels = np.random.default_rng(1).integers(0, 50, (LENGTH, 6, 5)).astype(np.uint16)
    pixels[LENGTH // 2 :, 0, 0] = 900
    pixels[3] = 0
    tifffile.imwrite(lab / "long.tif", pixels, metadata={"axes": "TYX"})
    return pixels


@pytest.fixture
def run(lab, movie, nothing_left):
    """Run the pipeline with chunks of so many frames."""

    def run(size, *, jobs=None, limit=None, pause=0.0):
        resources(lab, size, limit)
        plan = make_plan(lab.write(PIPELINE.replace("PAUSE", str(pause))), profile="p")
        report = TaskManager(plan, jobs=jobs).run()
        nothing_left()
        return report

    return run


def resources(lab, size, limit=None):
    entry = {"resources": {"batch_size": size}}
    if limit:
        entry["resources"]["max_parallel"] = limit
    text = json.dumps({"execution_configs": {"p": {"default": entry}}})
    lab.write(text, "pipeline-resources.x.yaml")


def expected(movie):
    table = pd.DataFrame({"frame": np.arange(LENGTH), "sum": movie.sum((1, 2), dtype=np.int64)})
    return (movie > 10).astype(np.uint16), table[table["sum"] > 0].reset_index(drop=True)


def assert_right(lab, movie):
    (manifest,) = (lab / "output/.cyto/store").glob("*/*/manifest.json")
    outputs = json.loads(manifest.read_text())["outputs"]
    refs = {
        k: Ref.from_json(o).moved(lambda p: str(manifest.parent / p)) for k, o in outputs.items()
    }
    label, table = expected(movie)
    np.testing.assert_array_equal(exchange.load(refs["label"]), label)
    assert exchange.load(refs["label"]).dtype == label.dtype
    assert (refs["label"].shape, refs["label"].dtype) == (label.shape, label.dtype.str)
    pd.testing.assert_frame_equal(exchange.load(refs["dataframe"]), table)
    files = {p.name for p in manifest.parent.iterdir()}
    assert files == {"manifest.json", "label.npy", "dataframe.arrow"}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 10, 11, 200])
def test_any_number_of_chunks_gives_the_whole(lab, run, movie, size):
    report = run(size)
    assert report.exit_code == 0, report.nodes
    assert_right(lab, movie)
    assert len(lab.ran()) == -(-LENGTH // size)
    assert list((lab / "output/.cyto/parts").glob("*")) == []
    assert report.nodes["frame"].findings


def test_chunks_run_side_by_side_and_reuse_their_workers(lab, run):
    run(1, pause=0.05)
    assert 1 < len(lab.pids()) <= 2


def test_one_job_at_a_time_needs_one_worker(lab, run):
    run(1, jobs=1)
    assert len(lab.pids()) == 1


def test_no_more_chunks_at_once_than_max_parallel(lab, run):
    run(1, limit=1, pause=0.02)
    assert len(lab.pids()) == 1


def test_the_log_holds_what_every_chunk_printed(lab, run):
    run(4)
    log = (lab / "output/logs/frame.log").read_text()
    assert log == "".join(
        f"== frames {a} to {b} ==\nfrom {a}\n" for a, b in [(0, 3), (4, 7), (8, 10)]
    )


def test_a_failed_chunk_names_its_frames_and_the_others_are_not_done_again(lab, run, movie):
    (lab / "fail8").touch()
    report = run(2, jobs=1)
    assert report.exit_code == 1
    assert report.nodes["frame"].message.startswith("frames 8 to 9: RuntimeError: no luck at 8")
    assert "no luck at 8" in (lab / "output/logs/frame.log").read_text()
    before = lab.ran()
    assert before == ["frame0+2", "frame2+2", "frame4+2", "frame6+2", "frame8+2"]
    (lab / "fail8").unlink()
    assert run(2, jobs=1).exit_code == 0
    assert lab.ran()[len(before) :] == ["frame8+2", "frame10+1"]
    assert_right(lab, movie)


def test_a_failed_chunk_stops_those_that_wait(lab, run):
    (lab / "fail0").touch()
    assert run(1, jobs=1).exit_code == 1
    assert lab.ran() == ["frame0+1"]


@pytest.mark.parametrize("damage", ["zeros", "gone", "torn mark", "table", "no table"])
def test_a_chunk_that_a_crash_left_half_is_done_again(lab, run, movie, damage):
    (lab / "fail8").touch()
    run(2, jobs=1)
    (folder,) = (lab / "output/.cyto/parts").iterdir()
    spoil(folder, damage)
    (lab / "fail8").unlink()
    before = len(lab.ran())
    assert run(2, jobs=1).exit_code == 0
    assert "frame2+2" in lab.ran()[before:]
    assert_right(lab, movie)


def spoil(folder, damage):
    if damage == "zeros":
        whole = np.load(folder / "out/label.npy", mmap_mode="r+")
        whole[2:4] = 0
        whole.flush()
    elif damage == "gone":
        (folder / "out/label.npy").unlink()
    elif damage == "table":
        (folder / "out/parts/2-4/dataframe.arrow").write_bytes(b"")
    elif damage == "no table":  # the driver was killed when it had joined all tables
        (folder / "out/parts/2-4/dataframe.arrow").unlink()
    else:
        (folder / "done/2-4.json").write_text("{")


def test_the_record_tells_of_every_chunk(lab, run):
    report = run(3)
    events = list(read_events(lab / f"output/.cyto/runs/{report.run_id}/events.jsonl"))
    (split,) = (e for e in events if e["event"] == "node_split")
    assert (split["chunks"], split["left"]) == (4, 4)
    assert sorted(e["frames"] for e in events if e["event"] == "chunk_finished") == [
        [0, 3], [3, 6], [6, 9], [9, 11],
    ]  # fmt: skip


def test_another_batch_size_goes_on_too(lab, run, movie):
    (lab / "fail8").touch()
    run(4, jobs=1)
    (lab / "fail8").unlink()
    assert run(2, jobs=1).exit_code == 0
    assert_right(lab, movie)


def test_a_result_does_not_depend_on_how_it_was_split(lab, run):
    run(3)
    before = len(lab.ran())
    assert [n.outcome.value for n in run(4).nodes.values()] == ["cached"]
    assert len(lab.ran()) == before


def test_tasks_that_need_all_frames_are_never_split(lab, run, movie):
    resources(lab, 2)
    text = "channels: {tcell: long.tif}\ntasks: {mark: {module: MODULE.Mark}}"
    assert TaskManager(make_plan(lab.write(text), profile="p")).run().exit_code == 0
    assert lab.ran() == ["mark"]


def test_parts_of_different_types_are_widened(tmp_path):
    parts = Parts(tmp_path / "n", [(0, 2), (2, 3)])
    parts.out.mkdir()
    made = [np.full((2, 2, 2), 7, np.uint8), np.full((1, 2, 2), 900, np.uint16)]
    for index, movie in enumerate(made):
        folder = parts.out / f"parts/{index}"
        folder.mkdir(parents=True)
        ref = exchange.save(movie, "label", folder, "label")
        parts.add(index, TaskResult(outputs={"label": ref}, peak_bytes=index))
    again = Parts(tmp_path / "n", [(0, 2), (2, 3)])
    assert again.missing() == []
    whole = again.join()
    np.testing.assert_array_equal(exchange.load(whole.outputs["label"])[:, 0, 0], [7, 7, 900])
    assert whole.peak_bytes == 1
    assert [p.name for p in parts.out.iterdir()] == ["label.npy"]
    parts.discard()
    assert not (tmp_path / "n").exists()
    shutil.rmtree(tmp_path)
