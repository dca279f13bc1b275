"""What commands that run, follow or take up a run share."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import cyto
from cyto.cli.options import print_warnings
from cyto.errors import UnavailableError

if TYPE_CHECKING:
    from cyto.core.layout import RunLayout
    from cyto.engine.outcomes import RunReport
    from cyto.engine.plan import Plan
    from cyto.engine.record import Listener
    from cyto.report.dashboard import Dashboard

PLANNING = (
    "pipeline", "resources", "profile", "overrides", "output_dir", "only", "sample", "base",
)  # fmt: skip
_BEGUN = {"submitted", "adopted", "node_started", "node_split", "node_finished", "run_finished"}
_PATIENCE_S = 60.0
_START = (
    "import sys; sys.path.append({folder!r}); "
    "from cyto.cli.background import main; sys.exit(main(*sys.argv[1:]))"
)


def plan_of(asked: Mapping[str, Any]) -> Plan:
    """Make and check the plan of what was asked, and print its warnings."""
    from cyto.engine.checks import check_plan
    from cyto.engine.planning import fresh_nodes, make_plan

    words = {name: asked[name] for name in PLANNING if name in asked}
    plan = make_plan(words.pop("pipeline"), **words)
    print_warnings(plan)
    fresh_nodes(plan, asked.get("force", ()), asked.get("since", ()))
    check_plan(plan)
    return plan


def run_plan(
    plan: Plan,
    asked: Mapping[str, Any],
    *,
    verbose: bool = False,
    run_id: str | None = None,
    dashboard: bool = False,
    done: Collection[str] = (),
) -> RunReport:
    """Run a plan in this process, and show it: here, and with *dashboard* in a browser.

    Nodes in *done* are not computed again, even where that was asked.
    """
    from rich.console import Console

    from cyto.engine.durability import full_disk_explained
    from cyto.engine.manager import TaskManager
    from cyto.engine.planning import fresh_nodes
    from cyto.report.follow import LogFollower
    from cyto.report.terminal import RunPrinter

    with ExitStack() as stack:
        printer = stack.enter_context(RunPrinter(Console(stderr=True)))
        listeners: list[Listener] = [printer]
        if verbose:
            listeners.append(stack.enter_context(LogFollower(printer.say)))
        if dashboard:
            listeners.append(stack.enter_context(_dashboard()))
        fresh = fresh_nodes(plan, asked.get("force", ()), asked.get("since", ()))
        manager = TaskManager(
            plan,
            jobs=asked.get("jobs"),
            fail_fast=asked.get("fail_fast", False),
            fresh=fresh - set(done),
            listeners=tuple(listeners),
            asked=asked,
            run_id=run_id,
        )
        stack.enter_context(full_disk_explained(plan.output_dir))
        return manager.run()


def _dashboard() -> Dashboard:
    """Start to serve the page of the run that is about to begin, and say where."""
    from cyto.report.dashboard import Dashboard

    served = Dashboard()
    click.echo(f"dashboard: {served.address}", err=True)
    return served


def detach(plan: Plan, asked: Mapping[str, Any]) -> str:
    """Start another process that runs what was asked; give the run's id once it has begun.

    Raises
    ------
    UnavailableError
        It ended before it began; with what it printed.
    """
    from cyto.core.layout import RunLayout
    from cyto.engine.lock import RunLock
    from cyto.engine.manager import new_run_id
    from cyto.engine.record import read_events
    from cyto.runners.process import start_detached

    layout = RunLayout(plan.output_dir, new_run_id())
    with RunLock(layout.lock):  # say now that another run works there
        layout.run.mkdir(parents=True)
    start = _START.format(folder=str(Path(cyto.__file__).resolve().parent.parent))
    argv = [sys.executable, "-c", start, layout.run_id, json.dumps(dict(asked))]
    process = start_detached(argv, layout.driver_log)
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        ended = process.poll() is not None
        if layout.record.exists():
            if any(event["event"] in _BEGUN for event in read_events(layout.record)):
                return layout.run_id
        elif ended:
            said = layout.driver_log.read_text(encoding="utf-8", errors="replace").strip()
            raise UnavailableError(f"the run did not begin: {said}")
        time.sleep(0.05)
    return layout.run_id


def take_up(layout: RunLayout, verbose: bool = False) -> tuple[Plan, RunReport]:
    """Run what a lost driver was asked for, in its folder; what it finished is not done again."""
    from cyto.engine.record import read_events

    started, *events = read_events(layout.record)
    asked = started.get("asked") or {}
    if not asked:
        raise click.UsageError(
            f"the run {layout.run_id} was not started by 'cyto run', so it is not known what was "
            "asked; run its pipeline again, and it goes on where it was"
        )
    os.chdir(started["folder"])
    plan = plan_of(asked)
    ends = (event for event in events if event["event"] == "node_finished")
    done = {event["node"] for event in ends if event["outcome"] in {"succeeded", "cached"}}
    return plan, run_plan(plan, asked, verbose=verbose, done=done)


def conclude(plan: Plan, report: RunReport, as_json: bool) -> None:
    """Print what a run that ended here has found, then make its page and its RO-Crate.

    Both are made last, and what goes wrong with them changes nothing of how the run ended. A run
    that found everything done keeps the page of the run that did it.
    """
    from cyto.core.layout import RunLayout

    layout = RunLayout(report.output_dir, report.run_id)
    try:
        show(report, as_json)
        sys.stdout.flush()
    except (OSError, UnicodeError, SystemExit) as error:
        # the reader went away (rich leaves then), or the disk is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        why = "their reader went away" if isinstance(error, SystemExit) else error
        click.echo(f"warning: the results could not be printed: {why}", err=True)
    if not (report.nothing_done and layout.report.exists()):
        _make_page(layout, as_json)
    keep_provenance(plan, report)


def _make_page(layout: RunLayout, as_json: bool) -> None:
    try:
        from cyto.report.page import write_report

        path = write_report(layout)
    except KeyboardInterrupt:
        click.echo("no report was made; 'cyto report' makes it", err=True)
    except Exception as error:  # noqa: BLE001 - the run itself is done
        if os.environ.get("CYTO_DEBUG"):
            traceback.print_exc()
        click.echo(f"warning: no report was made: {type(error).__name__}: {error}", err=True)
    else:
        click.echo(f"Report: {near(path)}", err=as_json)


def near(path: Path) -> str:
    """Give a path relative to the current folder when it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def show(report: RunReport, as_json: bool) -> None:
    """Print a run's report."""
    if as_json:
        from dataclasses import asdict

        data = {**asdict(report), "output_dir": str(report.output_dir)}
        click.echo(json.dumps({**data, "exit_code": report.exit_code}, indent=2))
        return
    from rich.console import Console

    from cyto.report.terminal import print_report

    print_report(Console(), report)


def keep_provenance(plan: Plan, report: RunReport) -> None:
    """Describe a run that ended in an RO-Crate; that it fails is a warning, as the run did not."""
    from cyto.core.layout import RunLayout
    from cyto.engine.kept import crate_holds

    layout = RunLayout(report.output_dir, report.run_id)
    try:
        if report.nothing_done and crate_holds(layout):
            return
        from cyto.report.crate import write_crate

        write_crate(plan, layout)
    except Exception as error:  # noqa: BLE001 - results are there, whatever happens here
        why = f"{type(error).__name__}: {error}"
        click.echo(f"warning: the run's RO-Crate could not be written: {why}", err=True)


def absolute(path: str | None) -> str | None:
    """Make a path good for another working folder."""
    return None if path is None else str(Path(path).absolute())
