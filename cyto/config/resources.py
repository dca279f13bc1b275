"""Resources files as read: profiles, and where each entry is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyto.config.amounts import Resources
from cyto.config.contradictions import check_entries, check_site
from cyto.config.paths import expanded
from cyto.config.resources_model import SHAPES, Entry, ResourcesFile
from cyto.config.sbatch_options import OWNED
from cyto.config.source import Source, read_source
from cyto.config.translation import keys_of, validated
from cyto.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto.config.marks import KeyPath


@dataclass(frozen=True, kw_only=True)
class ResourcesConfig:
    """The profiles that there are.

    Parameters
    ----------
    source
        The data and the places of its parts.
    model
        Everything that the file says; ``None`` when there is no file.
    """

    source: Source
    model: ResourcesFile | None = None

    @property
    def file(self) -> Path:
        """The file, absolute; where it was looked for when there is none."""
        return Path(self.source.file).absolute()

    @property
    def present(self) -> bool:
        """Whether there is a file."""
        return self.model is not None

    @property
    def profiles(self) -> Mapping[str, Mapping[str, Entry]]:
        """Entries by profile and by node name, ``tag:…`` or ``default``."""
        return self.model.execution_configs if self.model else {}

    @property
    def default_profile(self) -> str | None:
        """The profile that the file prefers."""
        return self.model.default_profile if self.model else None

    def problem(self, path: KeyPath, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """Make a `Problem` at a key path, as `PipelineConfig.problem` does."""
        return self.source.problem(path, message, hint, key=key)


def load_resources(path: str | Path, base: Path | None = None) -> ResourcesConfig:
    """Read and check a resources file; relative paths in it are relative to *base*, if given.

    Raises
    ------
    ConfigError
        All that is wrong in any of its profiles, in the order of the file: unknown keys, bad
        units, two spellings of one amount, an unknown ``sbatch`` option, an entry that says
        both container and bare metal.
    """
    source = read_source(path, "resources", base)
    if "tasks" in source.data and "execution_configs" not in source.data:
        message, hint = "this is a pipeline, not a resources file", "give it with --pipeline"
        raise ConfigError([source.problem(("tasks",), message, hint, key=True)])
    checks = (_check_default, _check_profiles)
    model = validated(ResourcesFile, source, SHAPES, checks=checks, hint=advice)
    return ResourcesConfig(source=source, model=model)


def companion(pipeline: str | Path) -> Path:
    """Name the resources file that belongs to a pipeline, whether or not it exists.

    ``pipeline.X.yaml`` has ``pipeline-resources.X.yaml`` beside it; any other ``NAME.yaml``
    has ``NAME-resources.yaml``.
    """
    path = expanded(pipeline)
    stem, dot, rest = path.name.partition(".")
    name = f"{stem}-resources{dot}{rest}"
    other = {".yaml": ".yml", ".yml": ".yaml"}.get(path.suffix, path.suffix)
    found = [path.with_name(name), path.with_name(name).with_suffix(other)]
    return next((file for file in found if file.exists()), found[0])


def resources_for(
    pipeline: str | Path, given: str | Path | None = None, base: Path | None = None
) -> ResourcesConfig:
    """Read *given*, else the pipeline's `companion`; without one, all runs on bare metal.

    Raises
    ------
    ConfigError
        As `load_resources`; and when *given* is missing.
    """
    path = expanded(given) if given is not None else companion(pipeline)
    if given is None and not path.exists():
        return ResourcesConfig(source=Source(str(path), {}))
    return load_resources(path, base)


def advice(path: KeyPath) -> str:
    """Advise on an unknown key of an entry or of its resources."""
    key, where = str(path[-1]), path[:-1]
    if where[-1:] == ("resources",) or where == ("slurm",):
        if key in OWNED:
            return f"--{key} is set by pyCyto itself"
        option = key.lstrip("-").replace("_", "-")
        if option != key and option in keys_of(Resources):
            return f"did you mean {option!r}?"
        near = nearest(key, keys_of(Resources), what="key")
        mine = [name for name in keys_of(Resources) if _is_neutral(name)]
        known = f"known keys: {', '.join(mine)}, and the long options of sbatch"
        return f"{near} {known}" if near.startswith("did") else known
    entry = len(where) == 3 and key in keys_of(Resources)
    return f"{key!r} belongs under resources" if entry else ""


def _is_neutral(alias: str) -> bool:
    field = next(f for n, f in Resources.model_fields.items() if alias in {f.alias, n})
    return "of sbatch" not in (field.description or "")


def _check_default(source: Source) -> list[Problem]:
    """Find a default profile that is none."""
    name, profiles = source.data.get("default_profile"), source.data.get("execution_configs")
    if not isinstance(name, str) or not isinstance(profiles, dict):
        return []
    if name in profiles or name == "local":
        return []
    hint = nearest(name, profiles, what="profile")
    return [source.problem(("default_profile",), f"there is no profile {name!r}", hint)]


def _check_profiles(source: Source) -> list[Problem]:
    """Find contradictions in every entry."""
    profiles = source.data.get("execution_configs")
    problems = check_site(source)
    for profile, entries in profiles.items() if isinstance(profiles, dict) else ():
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            path = ("execution_configs", profile, name)
            problems.extend(check_entries(source, path, entry))
            if name.startswith("tag:") and not name.removeprefix("tag:"):
                problems.append(source.problem(path, "no tag after 'tag:'", key=True))
    return problems
