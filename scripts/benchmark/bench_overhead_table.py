"""The overhead's table in Markdown: one row as soon as it is there, and all at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_HEAD = (
    "| row | min | median | max | beside it: median (ours ÷ it) | aim | met |\n"
    "|---|---|---|---|---|---|---|"
)
_VERDICT = {True: "yes", False: "**no**", None: "–"}


def lines(name: str, result: Mapping[str, Any]) -> list[str]:
    """Write one result for a terminal."""
    if "reason" in result:
        return [f"{name}: not run: {result['reason']}"]
    ours, unit = result["ours"], result["unit"]
    numbers = " … ".join(short(ours[key]) for key in ("min", "median", "max"))
    written = [f"{name}: {result['title']}", f"    {numbers} {unit}{_once(ours)}"]
    for other in result["beside"]:
        factor = f"ours is {short(other['ratio'])} ×"
        written.append(
            f"    {other['name']}: {short(other['median'])} {unit}{_once(other)}, {factor}"
        )
    written += [f"    {other}: left out: {why}" for other, why in result["missing"].items()]
    if result["aim"]:
        written.append(f"    aim {result['aim']}: {_VERDICT[result['met']].strip('*')}")
    return written


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Write all results as a table, and below it what was left out."""
    rows = [_row(result) for result in results.values() if "reason" not in result]
    return "\n".join([_HEAD, *rows, *_left_out(results)])


def _row(result: Mapping[str, Any]) -> str:
    ours = result["ours"]
    beside = "<br>".join(
        f"{other['name']}: {short(other['median'])} ({short(other['ratio'])} ×)"
        for other in result["beside"]
    )
    cells = [
        f"{result['title']}, {result['unit']}",
        *(short(ours[key]) for key in ("min", "median", "max")),
        beside or "–",
        result["aim"] or "–",
        _VERDICT[result["met"]],
    ]
    return f"| {' | '.join(cells)} |"


def _left_out(results: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    notes = [f"- {name}: {r['reason']}" for name, r in results.items() if "reason" in r]
    notes += [
        f"- {name}, {other}: {why}"
        for name, result in results.items()
        for other, why in result.get("missing", {}).items()
    ]
    return ["", "Left out:", "", *notes] if notes else []


def _once(series: Mapping[str, Any]) -> str:
    return " (one run)" if series["runs"] == 1 else ""


def short(number: float) -> str:
    """Write a number with about three digits."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.3f}" if number < 1 else f"{number:.2f}"
