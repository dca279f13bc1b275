"""``cyto plan``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from cyto.cli.options import fresh_options, json_option, planning_options, print_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto.engine.plan import Node, Plan
    from cyto.engine.survey import Standing

_EPILOG = """\b
Examples:
  cyto plan pipeline.yaml
  cyto plan pipeline.yaml --profile cluster
  cyto plan pipeline.yaml --mermaid > pipeline.mmd
"""


@click.command("plan", epilog=_EPILOG)
@planning_options
@fresh_options
@click.option("--mermaid", is_flag=True, help="Print the graph in Mermaid's language.")
@json_option
def command(
    pipeline: str,
    profile: str | None,
    resources: str | None,
    output_dir: str | None,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    force: tuple[str, ...],
    since: tuple[str, ...],
    sample: tuple[str, ...],
    mermaid: bool,
    as_json: bool,
) -> int:
    """Show what would run, where, with what, and why; runs nothing.

    Each node is cached, or its row says what changed since its result was computed.
    """
    from cyto.engine.planning import fresh_nodes, make_plan
    from cyto.engine.survey import survey

    plan = make_plan(
        pipeline,
        resources=resources,
        profile=profile,
        overrides=overrides,
        output_dir=output_dir,
        only=only,
        sample=sample,
    )
    fresh = fresh_nodes(plan, force, since)
    print_warnings(plan)
    if mermaid:
        click.echo(_mermaid(plan))
    elif as_json:
        import json

        click.echo(json.dumps(_facts(plan, survey(plan, fresh)), indent=2))
    else:
        _print_table(plan, survey(plan, fresh))
    return 0


def _print_table(plan: Plan, standings: Mapping[str, Standing]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cyto.cli.plan_samples import once_per_node, print_samples
    from cyto.engine.plan import plain_name

    console = Console()
    console.print(
        f"{plan.pipeline.name}: profile {plan.profile} ({plan.profile_reason}), "
        + (f"resources {plan.resources.name}, " if plan.resources else "")
        + f"output in {plan.output_dir}",
        highlight=False,
        soft_wrap=True,
    )
    table = Table(pad_edge=False)
    runs = Counter(plain_name(name) for name in plan.nodes)
    titles = ("node", "task", "needs", "environment", "launcher", "resources", "because of")
    for title in titles[:1] + ("runs",) * bool(plan.samples) + titles[1:]:
        table.add_column(title, overflow="fold")
    for node in once_per_node(plan).values():
        table.add_row(
            node.name,
            *([f"{runs[node.name]} ×"] if plan.samples else []),
            node.task.rpartition(".")[2],
            ", ".join(f"{key}: {source}" for key, source in node.inputs.items()) or "-",
            _environment(node),
            node.placement.launcher,
            _resources(node),
            _reason(node),
        )
    console.print(table)
    if plan.samples:
        print_samples(console, plan)
    rows = _told_once(standings)
    width = max((len(name) for name, _ in rows), default=0)
    for (name, text), samples in rows.items():
        style = "cyan" if text == "cached" else "yellow"
        said = [Text(text, style), *([_samples(samples)] if samples else [])]
        console.print(f"{name:{width}}", *said, soft_wrap=True)
    console.print(_summary(standings), highlight=False)


def _told_once(standings: Mapping[str, Standing]) -> dict[tuple[str, str], list[str]]:
    """Give for each node what is said of it, and the samples that it is said of."""
    from cyto.engine.plan import plain_name

    rows: dict[tuple[str, str], list[str]] = {}
    for name, standing in standings.items():
        sample = name.rpartition("/")[0]
        text = str(standing).replace(f"{sample}/", "") if sample else str(standing)
        rows.setdefault((plain_name(name), text), []).extend([sample] if sample else [])
    return rows


def _samples(names: list[str]) -> str:
    if len(names) > 3:
        return f"({len(names)} samples)"
    return f"({', '.join(names)})"


def _summary(standings: Mapping[str, Standing]) -> str:
    counts = Counter(str(standing.state) for standing in standings.values())
    words = {
        "cached": "cached",
        "compute": "to compute",
        "needs": "after what they need",
        "unknown": "unknown",
    }
    listed = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
    return f"{len(standings)} node{'s' * (len(standings) != 1)}: {', '.join(listed)}"


def _environment(node: Node) -> str:
    image = node.placement.image
    return f"{node.placement.environment} {image}" if image else node.placement.environment


def _resources(node: Node) -> str:
    from cyto.core.units import format_duration, format_memory

    wanted = node.placement.resources
    parts = [f"{wanted.cpus or 1} cpu"]
    if wanted.memory_bytes:
        parts.append(format_memory(wanted.memory_bytes))
    if wanted.gpus:
        parts.append(f"{wanted.gpus} gpu")
    if wanted.walltime_s:
        parts.append(format_duration(wanted.walltime_s))
    parts += [f"{k}={v}" for k, v in node.placement.launcher_options]
    parts += [f"{k}={v}" for k, v in node.placement.node_selector]
    return ", ".join(parts)


def _reason(node: Node) -> str:
    placement = node.placement
    if not placement.entry:
        return "no entry: bare metal"
    return f"{placement.entry} (line {placement.source.rpartition(':')[2]})"


def _facts(plan: Plan, standings: Mapping[str, Standing]) -> dict[str, Any]:
    return {
        "pipeline": str(plan.pipeline),
        "resources": str(plan.resources) if plan.resources else None,
        "profile": plan.profile,
        "profile_reason": plan.profile_reason,
        "output_dir": str(plan.output_dir),
        "samples": {name: dict(conditions) for name, conditions in plan.samples.items()},
        "faults": {name: vars(fault) for name, fault in plan.faults.items()},
        "channels": {
            name: {"files": list(channel.files), "shape": list(channel.shape)}
            for name, channel in plan.channels.items()
        },
        "nodes": {
            name: {
                "state": standings[name].state,
                "why": list(standings[name].why),
                "task": node.task,
                "params": dict(node.params),
                "inputs": {key: str(source) for key, source in node.inputs.items()},
                "dependencies": list(node.dependencies),
                "environment": node.placement.environment,
                "image": node.placement.image,
                "launcher": node.placement.launcher,
                "resources": vars(node.placement.resources),
                "reason": _reason(node),
            }
            for name, node in plan.nodes.items()
        },
    }


def _mermaid(plan: Plan) -> str:
    from cyto.cli.plan_samples import once_per_node
    from cyto.engine.plan import plain_name

    nodes: Mapping[str, Node] = once_per_node(plan)
    channels = dict.fromkeys(plain_name(name) for name in [*plan.channels, *plan.faults])
    numbers = {name: f"n{i}" for i, name in enumerate([*channels, *nodes])}
    lines = ["graph TD"]
    lines += [f'    {numbers[name]}[("{name}")]' for name in channels]
    for name, node in nodes.items():
        lines.append(f'    {numbers[name]}["{name}<br/>{_environment(node)}"]')
        named = {source.name: source.key for source in node.inputs.values()}
        for before in dict.fromkeys([*named, *node.dependencies]):
            label = f"|{named[before]}|" if named.get(before) else ""
            lines.append(f"    {numbers[before]} -->{label} {numbers[name]}")
    return "\n".join(lines)
