"""Why a job ended that gave no answer, in words for the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from cyto.core.placement import Placement
from cyto.core.units import format_duration
from cyto.errors import SubmissionError
from cyto.runners.environment import Ending, memory_ending, tail
from cyto.runners.slurm_commands import JobState
from cyto.runners.slurm_script import job_minutes

_STUCK = {
    "JobHeldUser": "somebody holds it; free it with: scontrol release {job}",
    "JobHeldAdmin": "an administrator holds it",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition is inactive",
    "PartitionNodeLimit": "it asks for more than its partition gives",
    "PartitionTimeLimit": "it asks for more time than its partition gives",
    "PartitionConfig": "its partition cannot run it as it is asked for",
    "BadConstraints": "no node fits its constraints",
    "AccountNotAllowed": "the account may not use it",
    "InvalidAccount": "the account is none",
    "InvalidQOS": "the qos is none",
    "QOSNotAllowed": "the account may not use this qos",
    "DependencyNeverSatisfied": "what it waits for will never be",
    "ReqNodeNotAvail": "the nodes that it asks for are down or reserved",
}
"""Reasons to wait that do not pass by themselves."""


def ending_of(
    state: JobState, *, job: str, placement: Placement, requests: int, log: Path, fault: str = ""
) -> Ending:
    """Say why a job ended before it had answered all that it was asked.

    Parameters
    ----------
    state
        What Slurm says.
    job
        Its number, or the element's.
    placement
        Where limits were written.
    requests
        How many the job had.
    log
        What it printed outside of tasks.
    fault
        What its own program said of itself.
    """
    at = f"job {job}" + (f" on {state.node}" if state.node else "")
    where = f" in {placement.source}" if placement.source else ""
    if fault:
        return Ending(reason="lost", message=f"the program of {at} failed: {fault}; log: {log}")
    match state.state:
        case "OUT_OF_MEMORY":
            ending = memory_ending(placement)
            return Ending(reason="memory", message=f"{ending.message} (by Slurm, {at})")
        case "TIMEOUT" | "DEADLINE":
            limit = _limit(placement, requests)
            return Ending(
                reason="timeout",
                message=f"took longer than the time limit of its job{limit} and was ended by Slurm "
                f"({at}); raise resources.time{where}",
            )
        case "NODE_FAIL" | "BOOT_FAIL":
            node = f"node {state.node}" if state.node else "its node"
            return Ending(
                reason="node",
                message=f"{node} failed or was taken down while job {job} ran there; the task is "
                "not to blame and may be tried again (retries)",
            )
        case "PREEMPTED":
            message = f"was preempted: Slurm ended {at} for one of higher priority"
            return Ending(reason="preempted", message=message)
        case "CANCELLED" | "REVOKED":
            whom = f"user {state.user}" if state.user else "somebody else, not by this run"
            message = f"{at} was cancelled by {whom} (scancel, or an administrator)"
            return Ending(reason="cancelled", message=message)
    return Ending(reason="lost", message=_lost(state, at, log))


def _limit(placement: Placement, requests: int) -> str:
    minutes = job_minutes(placement.resources, requests)
    given = dict(placement.launcher_options).get("time", "")
    if given:
        return f" ({given}{' min' if given.isdigit() else ''})"
    return f" ({format_duration(minutes * 60)})" if minutes else ", which is the partition's own,"


def _lost(state: JobState, at: str, log: Path) -> str:
    try:
        said = tail(log.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        said = ""
    code = f", exit code {state.code}" if state.code and state.code != "0:0" else ""
    why = f", {state.reason}" if state.reason not in {"", "None", "(null)"} else ""
    knows = "Slurm no longer knows it" if state.state == "UNKNOWN" else f"Slurm says {state.state}"
    rest = (
        f"its log ends with:\n{said}\n(log: {log})"
        if said
        else f"it printed nothing; does the node see {log.parent} and this Python?"
    )
    return f"{at} ended without a word: {knows}{why}{code}; {rest}"


def waiting(states: Iterable[tuple[str, JobState]]) -> str:
    """Say what jobs wait for and where others run; empty when there is nothing to say.

    Parameters
    ----------
    states
        The number of each job that has not ended, and what Slurm says of it.
    """
    reasons: Counter[str] = Counter()
    nodes: set[str] = set()
    advice = ""
    count = 0
    for job, state in states:
        count += 1
        if state.node and state.state != "PENDING":
            nodes.add(state.node)
        elif state.state in {"PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"}:
            reason = state.reason.partition(",")[0].strip()
            reasons["" if reason == "None" else reason] += 1
            if reason in _STUCK:
                advice = f" ({_STUCK[reason].format(job=job)})"
    runs = f"runs on {', '.join(sorted(nodes))}" if nodes else ""
    if not reasons:
        return runs
    waits = sum(reasons.values())
    share = "" if waits == count else f"{waits} of {count} "
    why = ", ".join(reason for reason in reasons if reason)
    text = f"{share}wait{'s' if not share else ''} in the queue" + (f": {why}" if why else "")
    text += advice
    return f"{text}; {runs}" if runs else text


_ADVICE = {
    "partition": "name one that 'sinfo' lists, as resources.partition",
    "account": "name yours as resources.account, or for all nodes under 'slurm:' in the file",
    "qos": "name one that you may use as resources.qos",
    "time limit": "give less resources.time, or another partition",
    "node configuration": "no node has what is asked for: see sinfo -o '%N %c %m %G', and ask for "
    "less of cpus, memory or gpus",
    "node name": "name nodes that 'sinfo' lists, or leave nodelist and exclude out",
    "feature": "name a constraint that 'sinfo -o %f' lists",
    "gres": "name what 'sinfo -o %G' lists, such as gpu:1",
    "unrecognized option": "this Slurm has no such option; leave it out",
    "node count": "ask for fewer nodes, or leave nodes and nodelist out",
    "limit": "wait for other jobs, or ask for less at a time (max_parallel, batch_size)",
}
"""What to do about a refusal, by a word in it; the first that is found."""


def advice(error: SubmissionError) -> str:
    """Say what to do about a submission that Slurm refused."""
    words = error.message.lower()
    found = next((text for word, text in _ADVICE.items() if word in words), "")
    return found or error.hint or "change its resources in the resources file, or ask your site"
