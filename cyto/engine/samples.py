"""A pipeline spread over its samples: which nodes run once for each, and what is collected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from cyto.config import PipelineConfig, Sample, varying_channels
from cyto.engine.graph import Edges, ancestors, topological_order
from cyto.engine.plan import Member, Node, Source, sample_name
from cyto.engine.tasks import Loaded
from cyto.errors import ConfigError, Problem, nearest


def choose_samples(samples: tuple[Sample, ...], names: Iterable[str]) -> tuple[Sample, ...]:
    """Keep the samples of these names, in their own order; no names keep all.

    Raises
    ------
    ConfigError
        There is no such sample.
    """
    chosen, known = list(names), {sample.name for sample in samples}
    for name in chosen:
        if not samples:
            message, hint = "the pipeline has no samples", "write samples: at its top"
            raise ConfigError([Problem(message, hint, file="--sample")])
        if name not in known:
            hint = nearest(name, known, what="sample")
            raise ConfigError([Problem(f"there is no sample {name!r}", hint, file="--sample")])
    return tuple(s for s in samples if s.name in chosen) if chosen else samples


class Spread:
    """The nodes of a pipeline, once per sample where what they read differs between samples.

    A node runs once for each sample when it reads a channel whose path holds a placeholder, or a
    node that runs once for each sample, and does not say ``collect``. All others run once.

    Parameters
    ----------
    config
        The pipeline.
    edges, inputs
        Of the nodes as the file names them.
    samples
        Empty where there are none: everything then runs once.
    """

    def __init__(
        self,
        config: PipelineConfig,
        edges: Edges,
        inputs: Mapping[str, Mapping[str, Source]],
        samples: tuple[Sample, ...],
    ) -> None:
        self.samples = samples
        self._config, self._plain, self._inputs = config, edges, inputs
        self._varying = varying_channels(config) if samples else frozenset()
        self._each: set[str] = set()
        for name in topological_order(edges):
            reads = {source.name for source in inputs[name].values() if source.is_channel}
            differs = bool(reads & self._varying) or any(n in self._each for n in edges[name])
            if differs and not config.tasks[name].collect:
                self._each.add(name)
        self._edges = {
            full: tuple(f for before in edges[name] for f in self._before(before, sample))
            for name in edges
            for full, sample in self._uses(name)
        }

    def check(self, tasks: Mapping[str, Loaded]) -> list[Problem]:
        """Find inputs that cannot be collected, and conditions that a table has already."""
        return [
            problem
            for name, task in self._config.tasks.items()
            if task.collect
            for key, source in self._inputs[name].items()
            for problem in self._check_input(tasks, name, key, source)
        ]

    def wanted(self, only: Iterable[str]) -> set[str]:
        """Give the nodes that *only* names, and all that they need; all where it names none.

        Raises
        ------
        ConfigError
            There is no such node.
        """
        names = [full for text in only for full in self._named(text)]
        return ancestors(self._edges, names or self._edges)

    def channels(self, wanted: set[str]) -> dict[str, Sample | None]:
        """Give the channels that these nodes read, in the order of the file and the samples."""
        used = {
            self._reads(source, sample)
            for name in self._plain
            for full, sample in self._uses(name)
            if full in wanted
            for source in self._inputs[name].values()
            if source.is_channel
        }
        every = {
            sample_name(sample.name, name) if sample else name: sample
            for name in self._config.channels
            for sample in (self.samples if name in self._varying else (None,))
        }
        return {name: sample for name, sample in every.items() if name in used}

    def nodes(self, plain: Mapping[str, Node], wanted: set[str]) -> Iterator[Node]:
        """Make the nodes of the plan, each after those that it depends on.

        Parameters
        ----------
        plain
            Nodes as the file names them, each after those that it depends on.
        """
        for name, node in plain.items():
            for full, sample in self._uses(name):
                if full not in wanted:
                    continue
                soft = [n for n in self._plain[name] if n in self._each and not sample]
                yield replace(
                    node,
                    name=full,
                    inputs={key: self._given(s, sample) for key, s in node.inputs.items()},
                    dependencies=self._edges[full],
                    soft=tuple(f for n in soft for f in self._before(n, None)),
                )

    def _uses(self, name: str) -> list[tuple[str, Sample | None]]:
        """Give the nodes of the plan that a node of the file becomes, with their samples."""
        if name not in self._each:
            return [(name, None)]
        return [(sample_name(sample.name, name), sample) for sample in self.samples]

    def _before(self, name: str, sample: Sample | None) -> list[str]:
        """Give what stands for the node *name* in the dependencies of a node of *sample*."""
        if sample is not None and name in self._each:
            return [sample_name(sample.name, name)]
        return [full for full, _ in self._uses(name)]

    def _reads(self, source: Source, sample: Sample | None) -> str:
        differs = source.name in (self._varying if source.is_channel else self._each)
        return sample_name(sample.name, source.name) if differs and sample else source.name

    def _given(self, source: Source, sample: Sample | None) -> Source:
        if sample is None and not source.is_channel and source.name in self._each:
            return replace(source, members=self._members(source.name))
        return replace(source, name=self._reads(source, sample))

    def _members(self, name: str) -> tuple[Member, ...]:
        return tuple(
            Member(
                sample=sample.name,
                node=sample_name(sample.name, name),
                conditions=tuple(sample.conditions.items()),
            )
            for sample in self.samples
        )

    def _named(self, text: str) -> Sequence[str]:
        """Give the nodes that one ``--only`` means."""
        before, slash, name = text.rpartition("/")
        samples = {sample.name for sample in self.samples}
        if name not in self._plain:
            raise _unknown(f"there is no node {name!r}", nearest(name, self._plain, what="node"))
        if slash and before not in samples:
            hint = nearest(before, samples, what="sample")
            raise _unknown(f"there is no sample {before!r}", hint)
        if slash and name not in self._each:
            hint = f"write --only {name}"
            raise _unknown(f"the node {name!r} runs once, not for each sample", hint)
        return [text] if slash else [full for full, _ in self._uses(name)]

    def _check_input(
        self, tasks: Mapping[str, Loaded], name: str, key: str, source: Source
    ) -> Iterator[Problem]:
        written = self._config.tasks[name].inputs
        where = ("tasks", name, "inputs", key) if isinstance(written, Mapping) else ("tasks", name)
        tables = "only tables (of kind dataframe) of all samples can be collected"
        if source.is_channel:
            if source.name in self._varying:
                text = f"the channel {source.name!r} differs between samples, and {tables}"
                yield self._config.problem(where, text, "make a table of it once per sample first")
            return
        port = (tasks[source.name].outputs or {}).get(source.key)
        if source.name not in self._each or port is None:
            return
        if port.kind != "dataframe":
            text = f"{source} is of kind {port.kind}, and {tables}"
            yield self._config.problem(where, text, "make a table of it once per sample first")
        conditions = {"sample", *(each for s in self.samples[:1] for each in s.conditions)}
        for twice in sorted(conditions & set(port.columns)):
            text = f"{source} has a column {twice!r} already, which is a condition of the samples"
            yield self._config.problem(where, text, "give the condition another name in samples")


def _unknown(message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(message, hint, file="--only")])
