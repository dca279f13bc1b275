"""What a crate says of a run: the pipeline, the run as a whole, and each of its nodes."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto._version import VERSION
from cyto.config.overrides import anchored
from cyto.engine.plan import plain_name
from cyto.report import crate_words as words
from cyto.report.crate_files import encoding_of, size_of
from cyto.runners.machine import this_machine

if TYPE_CHECKING:
    from rocrate.model import ComputationalWorkflow

    from cyto.engine.plan import Source
    from cyto.report.crate_facts import NodeFacts, RunFacts
    from cyto.report.crate_graph import CrateGraph, Ref

_BYTE = "https://qudt.org/vocab/unit/BYTE"
_SECOND = "https://qudt.org/vocab/unit/SEC"


class Description:
    """Fills a crate with what the profile asks for.

    Parameters
    ----------
    facts, graph
        What the run was, and the crate.
    copies
        The files that the run was made from, by their paths below ``workflow/``.
    """

    def __init__(self, facts: RunFacts, graph: CrateGraph, copies: Mapping[str, Path]) -> None:
        self.facts, self.graph, self.copies = facts, graph, copies
        self.plan, self.crate = facts.plan, graph.crate
        self.run = words.local(facts.layout.run_id)

    def add_all(self) -> None:
        """Add everything."""
        people = [self._person(author) for author in self.plan.authors]
        self._root(people)
        self.made = {node.node.name: self._products(node) for node in self.facts.nodes}
        workflow = self._workflow(people)
        controls = [self._node(node) for node in self.facts.nodes]
        self._steps(workflow)
        self._run(workflow)
        self._engine(controls)
        self._logs()

    def _root(self, people: list[Ref]) -> None:
        root, plan = self.crate.root_dataset, self.plan
        root["name"] = f"{plan.pipeline.name}, run {self.facts.layout.run_id}"
        root["description"] = plan.description or f"Results of {root['name']}, by pyCyto {VERSION}"
        root["license"] = self._license(plan.license)
        for address, name in words.PROFILES.items():
            profile = {"name": name, "version": address.rpartition("/")[2]}
            root.append_to("conformsTo", self.graph.entity(address, "CreativeWork", profile))
        if people:
            root["author"] = people

    def _license(self, text: str | None) -> Ref | str:
        if text is None:
            return words.NO_LICENSE
        address = words.license_address(text)
        named = {"name": text}
        return text if address is None else self.graph.entity(address, "CreativeWork", named)

    def _person(self, author: Mapping[str, Any]) -> Ref:
        place = author.get("affiliation")
        works_at = place and self.graph.entity(
            words.local("organisation", place), "Organization", {"name": place}
        )
        name = author.get("orcid") or words.local("person", author["name"])
        return self.graph.entity(name, "Person", {"name": author["name"], "affiliation": works_at})

    def _products(self, node: NodeFacts) -> dict[str, list[Ref]]:
        return {made.key: self.graph.product(made) for made in node.products}

    def _workflow(self, people: list[Ref]) -> ComputationalWorkflow:
        from rocrate.model import ComputerLanguage

        name, said = words.PIPELINE_LANGUAGE, {"name": "pyCyto pipeline", "version": VERSION}
        language = self.crate.add(ComputerLanguage(self.crate, name, properties=said))
        path = self.facts.layout.crate_workflow / self.plan.pipeline.name
        workflow: ComputationalWorkflow = self.crate.add_workflow(
            dest_path=path.relative_to(self.facts.layout.output_dir),
            main=True,
            lang=language,
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": path.name,
                "version": self.graph.sha256(path) or "unknown",
                "encodingFormat": "application/yaml",
                **({"author": people} if people else {}),
            },
        )
        if self.plan.license is not None:
            workflow["license"] = self._license(self.plan.license)
        channels = {plain_name(name) for name in self.plan.channels}
        workflow["input"] = [{"@id": words.local("input", name)} for name in sorted(channels)]
        workflow["output"] = self.graph.outputs
        return workflow

    def _steps(self, workflow: ComputationalWorkflow) -> None:
        """Add the plain nodes, which samples share, and what each of them uses."""
        steps: dict[str, Ref] = {}
        tools: dict[str, Ref] = {}
        for node in self.facts.nodes:
            tools[node.node.task] = {"@id": words.local("task", node.node.task)}
            name = plain_name(node.node.name)
            said = {
                "name": name,
                "position": str(len(steps)),
                "workExample": tools[node.node.task],
            }
            steps.setdefault(name, self.graph.entity(words.local("step", name), "HowToStep", said))
        workflow["step"] = list(steps.values())
        workflow["hasPart"] = list(tools.values())

    def _tool(self, node: NodeFacts) -> Ref:
        task, own = node.node.task, not node.node.task.startswith("cyto.")
        said = {
            "name": task,
            "softwareVersion": f"source {node.code}" if own and node.code else VERSION,
            "softwareRequirements": [f"{k} {v}" for k, v in sorted(node.versions.items())],
        }
        return self.graph.entity(words.local("task", task), "SoftwareApplication", said)

    def _node(self, facts: NodeFacts) -> Ref:
        """Add what one node did, and that pyCyto let it."""
        node, ok = facts.node, facts.ok
        name = words.local(self.facts.layout.run_id, node.name)
        began, ended = facts.span
        said = {
            "name": f"{node.name}: {facts.outcome}",
            "description": self._how(facts),
            "instrument": self._tool(facts),
            "startTime": words.when(began),
            "endTime": words.when(ended),
            "actionStatus": words.status(ok),
            "error": None if ok else facts.message or facts.outcome,
            "object": [*self._inputs(node.inputs), *self._parameters(facts)],
            "result": [ref for refs in self.made[node.name].values() for ref in refs],
            "containerImage": self._image(facts),
            "resourceUsage": self._usage(facts),
        }
        action = self.graph.entity(name, "CreateAction", said)
        self.graph.mention(action)
        step = {"@id": words.local("step", plain_name(node.name))}
        control = {"name": f"orchestrate {node.name}", "instrument": step, "object": action}
        return self.graph.entity(f"{name}/control", "ControlAction", control)

    def _how(self, facts: NodeFacts) -> str:
        node = facts.node
        where = f"{node.placement.environment}, started by {node.placement.launcher}"
        parts = [where, f"on {facts.host}" if facts.host else ""]
        if facts.outcome == "cached":
            parts.append(f"result of run {facts.made_by}")
        elif facts.span == (None, None):
            parts.append("was not started")
        return ", ".join(part for part in parts if part)

    def _inputs(self, inputs: Mapping[str, Source]) -> list[Ref]:
        refs: dict[str, Ref] = {}
        for source in inputs.values():
            if source.is_channel:
                found = (
                    [self.graph.channel(source.name)] if source.name in self.plan.channels else []
                )
            else:
                names = [member.node for member in source.members] or [source.name]
                found = [ref for name in names for ref in self.made[name].get(source.key, ())]
            refs.update((ref["@id"], ref) for ref in found)
        return list(refs.values())

    def _parameters(self, facts: NodeFacts) -> list[Ref]:
        plain = plain_name(facts.node.name)
        return [
            self.graph.value(words.local("parameter", plain, name), name, value)
            for name, value in facts.node.params.items()
        ]

    def _usage(self, facts: NodeFacts) -> list[Ref]:
        used = {
            "peak memory": (facts.peak_bytes, _BYTE),
            "processor time": (round(facts.cpu_s, 3), _SECOND),
        }
        name = facts.node.name
        return [
            self.graph.value(
                words.local("usage", name, label),
                label,
                amount,
                propertyID=label.replace(" ", "_"),
                unitCode=unit,
            )
            for label, (amount, unit) in used.items()
            if amount
        ]

    def _image(self, facts: NodeFacts) -> Ref | None:
        placement = facts.node.placement
        if not placement.image:
            return None
        names = words.image_names(placement.environment, placement.image, facts.image)
        name = words.IMAGE + words.local(placement.environment, placement.image)[1:]
        return self.graph.entity(name, "ContainerImage", names)

    def _run(self, workflow: ComputationalWorkflow) -> None:
        facts = self.facts
        results = [made for node in facts.nodes for made in node.products if made.files]
        failed = [f"{n.node.name}: {n.message or n.outcome}" for n in facts.nodes if not n.ok]
        ok = facts.state == "done"
        said = {
            "name": f"run {facts.layout.run_id} of {self.plan.pipeline.name}: {facts.state}",
            "description": words.command_line(facts.started.get("asked") or {}),
            "instrument": {"@id": workflow.id},
            "startTime": words.when(facts.started["time"]),
            "endTime": words.when(facts.finished["time"] if facts.finished else None),
            "actionStatus": words.status(ok),
            "error": None if ok else "; ".join([facts.state, *failed]),
            "object": [
                *map(self.graph.channel, self.plan.channels),
                self._asked(),
                *self._copies(),
            ],
            "result": [ref for made in results for ref in self.graph.product(made)],
        }
        self.graph.mention(self.graph.entity(self.run, "CreateAction", said))

    def _asked(self) -> Ref:
        """Add what ``cyto rerun`` needs to ask for the same once more."""
        started, plan = self.facts.started, self.plan
        asked = dict(started.get("asked") or {})
        said = {
            "pipeline": plan.pipeline.name,
            "resources": plan.resources.name if plan.resources else None,
            "base": str(plan.base or plan.pipeline.parent),
            "profile": plan.profile,
            "overrides": [
                anchored(text, bool(plan.samples)) for text in asked.get("overrides", ())
            ],
            "tables": [table.name for table in plan.tables],
            "only": list(asked.get("only", ())),
            "sample": list(asked.get("sample", ())),
            "cyto": started.get("version", VERSION),
        }
        return self.graph.value(words.ASKED, "what cyto run was asked", said)

    def _copies(self) -> list[Ref]:
        """Add the copies beside the pipeline: resources, samples, the user's own tasks."""
        others = {
            name: path for name, path in self.copies.items() if name != self.plan.pipeline.name
        }
        return [self.graph.file(path, {"name": name}) for name, path in others.items()]

    def _engine(self, controls: list[Ref]) -> None:
        facts = self.facts
        engine = {"name": "pyCyto", "softwareVersion": facts.started.get("cyto", VERSION)}
        said = {
            "name": f"pyCyto ran {self.plan.pipeline.name}",
            "instrument": self.graph.entity("#pycyto", "SoftwareApplication", engine),
            "object": controls,
            "result": {"@id": self.run},
            "startTime": words.when(facts.started["time"]),
            "endTime": words.when(facts.finished["time"] if facts.finished else None),
            "additionalProperty": self._machine(),
        }
        self.graph.mention(self.graph.entity(f"{self.run}/engine", "OrganizeAction", said))

    def _machine(self) -> list[Ref]:
        machine, system = this_machine(), os.uname()
        said = {
            "host": system.nodename,
            "system": f"{system.sysname} {system.release} {system.machine}",
            "python": platform.python_version(),
            "cpus": machine.cpus,
            "memory in bytes": machine.memory_bytes,
            "gpus": len(machine.gpu_ids),
        }
        return [
            self.graph.value(words.local("machine", label), label, value)
            for label, value in said.items()
        ]

    def _logs(self) -> None:
        """Add what tools printed, and the report, which may be made anew: without checksums."""
        for facts in self.facts.nodes:
            log = self.facts.layout.log(facts.node.name)
            if log.is_file() and size_of(log):
                about = {"@id": words.local(self.facts.layout.run_id, facts.node.name)}
                name = f"log of {facts.node.name}"
                said = {"name": name, "about": about, "encodingFormat": encoding_of(log)}
                self.graph.file(log, said)
        page = self.facts.layout.report
        if page.is_file():
            said = {"name": "report of the run", "encodingFormat": encoding_of(page)}
            self.graph.file(page, said)
