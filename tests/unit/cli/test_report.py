"""``cyto report``, ``cyto runs``, and the page that every run leaves."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys

import pytest

PIPELINE = """
channels: {tcell: movie.tif}
tasks:
  scale: {module: MODULE.Scale, output: true}
"""


@pytest.fixture
def lab(lab, monkeypatch):
    lab.write(PIPELINE)
    monkeypatch.chdir(lab.folder)
    return lab


def test_every_run_leaves_its_page_and_says_where(lab, call):
    ran = call("run", lab.pipeline)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[-1] == "Report: output/report.html"
    (own,) = (lab / "output/.cyto/runs").glob("*/report.html")
    assert own.samefile(lab / "output/report.html")


def test_the_page_of_json_output_is_named_elsewhere(lab, call):
    ran = call("run", lab.pipeline, "--json")
    assert json.loads(ran.out)["exit_code"] == 0
    assert "Report: output/report.html" in ran.err


def test_a_failed_run_has_its_page_and_its_code(lab, call):
    lab.write(PIPELINE.replace("Scale", "WrongRank").replace("channels: {tcell: movie.tif}", ""))
    ran = call("run", lab.pipeline)
    assert ran.code == 1
    assert (lab / "output/report.html").exists()


def test_a_page_that_cannot_be_written_changes_nothing_else(lab, call, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cyto.report.page._replace", full)
    ran = call("run", lab.pipeline)
    assert ran.code == 0
    assert "warning: no report was made" in ran.err
    assert "1 succeeded" in ran.out
    assert not list((lab / "output").glob(".report*"))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_users_own_page_is_left_alone(lab, call, kind):
    mine = lab / "output/report.html"
    if kind == "file":
        mine.parent.mkdir()
        mine.write_text("<!doctype html>mine")
    else:
        mine.mkdir(parents=True)
    ran = call("run", lab.pipeline)
    (own,) = (lab / "output/.cyto/runs").glob("*/report.html")
    assert ran.out.splitlines()[-1] == f"Report: {own.relative_to(lab.folder)}"
    assert mine.is_dir() or mine.read_text() == "<!doctype html>mine"


def test_the_page_is_made_again(lab, call):
    call("run", lab.pipeline)
    page = lab / "output/report.html"
    before = page.read_text(encoding="utf-8")
    page.unlink()
    (run,) = (lab / "output/.cyto/runs").glob("*")
    for named in ("output", run.name):
        made = call("report", named)
        assert (made.code, made.out.strip()) == (0, "output/report.html")
        assert page.read_text(encoding="utf-8") == before
    assert call("report").out.strip() == "output/report.html"


def test_a_report_of_nothing_is_an_error(lab, call):
    assert call("report", "nowhere").code == 3


def test_runs_are_listed_the_newest_first(lab, call):
    call("run", lab.pipeline)
    lab.write(PIPELINE.replace("Scale", "WrongRank").replace("channels: {tcell: movie.tif}", ""))
    call("run", lab.pipeline)
    listed = json.loads(call("runs", "output", "--json").out)
    assert [line["state"] for line in listed] == ["failed", "done"]
    assert listed[0]["started"] > listed[1]["started"]
    assert {line["pipeline"] for line in listed} == {str(lab.pipeline)}
    assert all(line["wall_s"] > 0 for line in listed)
    shown = call("runs", "output")
    assert shown.code == 0
    for line in listed:
        assert line["run"] in shown.out
    one = call("runs", "output", "-n", "1").out
    assert listed[0]["run"] in one
    assert listed[1]["run"] not in one
    assert "the latest 1 of 2" in one


def test_without_a_folder_all_runs_that_are_remembered_are_listed(lab, call):
    call("run", lab.pipeline, "-o", "one")
    call("run", lab.pipeline, "-o", "two")
    listed = json.loads(call("runs", "--json").out)
    assert [line["output_dir"] for line in listed] == [str(lab / "two"), str(lab / "one")]
    assert str(lab / "two") in call("runs").out


def test_a_run_whose_folder_is_gone_is_not_listed(lab, call):
    import shutil

    call("run", lab.pipeline, "-o", "one")
    shutil.rmtree(lab / "one")
    assert json.loads(call("runs", "--json").out) == []
    assert "Nothing has run yet." in call("runs").out


def test_a_run_that_lost_its_driver_is_listed_so(lab, call):
    call("run", lab.pipeline)
    (record,) = (lab / "output/.cyto/runs").glob("*/events.jsonl")
    lines = record.read_text().splitlines()
    record.write_text("\n".join(lines[:-1]) + "\n")
    (line,) = json.loads(call("runs", "output", "--json").out)
    assert (line["state"], line["wall_s"]) == ("lost", None)


def test_runs_of_a_folder_in_which_nothing_ran_is_an_error(lab, call):
    assert call("runs", lab.folder).code == 2


def test_a_dashboard_does_not_go_into_the_background(lab, call):
    ran = call("run", lab.pipeline, "--dashboard", "--detach")
    assert ran.code == 2
    assert "--dashboard does not go with --detach" in ran.err


def test_a_dashboard_says_where_it_is(lab, call):
    pytest.importorskip("tornado")
    ran = call("run", lab.pipeline, "--dashboard")
    assert ran.code == 0, ran.err
    assert "dashboard: http://127.0.0.1:" in ran.err
    assert (lab / "output/report.html").exists()


@pytest.mark.parametrize("reader", ["full", "gone"])
def test_what_cannot_be_printed_costs_the_print_alone(lab, reader):
    run = f"{shlex.quote(sys.executable)} {shlex.quote(str(lab.program))} run {lab.pipeline.name}"
    line = f"{run} >/dev/full" if reader == "full" else f"set -o pipefail; {run} | true"
    shell = shutil.which("bash") or "bash"
    done = subprocess.run(
        [shell, "-c", line], cwd=lab.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (lab / "output/report.html").exists()
    assert (lab / "output/ro-crate-metadata.json").exists()
