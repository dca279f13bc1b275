"""The provenance of a run: its output folder becomes an RO-Crate that can be deposited.

Each crate follows the profile Provenance Run Crate of Workflow Run RO-Crate; see
https://w3id.org/ro/wfrun/provenance (Leo et al. 2024, doi:10.1371/journal.pone.0309210).
"""

from __future__ import annotations

from pathlib import Path

from cyto.core.layout import RunLayout
from cyto.engine.plan import Plan
from cyto.report.crate_description import Description
from cyto.report.crate_facts import gather_facts
from cyto.report.crate_files import show_workflow
from cyto.report.crate_graph import CrateGraph
from cyto.report.crate_words import PIPELINE_LANGUAGE


def write_crate(plan: Plan, layout: RunLayout) -> Path:
    """Describe a run that ended in ``ro-crate-metadata.json`` of its output folder.

    Copies of the pipeline, its resources and its own tasks appear in ``workflow/``; images that
    went in are named by their addresses and checksums, and stay where they are.

    Parameters
    ----------
    plan
        What was run.
    layout
        The run's files; its record is read.

    Raises
    ------
    OSError
        Something could not be read or written, or would take the place of a user's own file.

    Notes
    -----
    Reads results to hash them, and those inputs that are small (1 GiB together), each once: what
    did not change since is remembered.
    """
    _leave_users_own(layout.crate)
    facts = gather_facts(plan, layout)
    graph = CrateGraph(facts)
    copies = show_workflow(layout, plan.pipeline)
    Description(facts, graph, copies).add_all()
    part = layout.crate.with_name(f".{layout.run_id}.crate")
    try:
        part.write_text(graph.text(), encoding="utf-8")
        part.replace(layout.crate)
    finally:
        part.unlink(missing_ok=True)
    return layout.crate


def _leave_users_own(crate: Path) -> None:
    try:
        ours = PIPELINE_LANGUAGE in crate.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        ours = False
    if not ours:
        raise FileExistsError(f"{crate} is not of pyCyto; move it, or choose another output folder")
