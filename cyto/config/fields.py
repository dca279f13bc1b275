"""Kinds of values that both formats share, each with its own words for what is wrong."""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic import Discriminator as _Discriminator

from cyto.core.units import parse_duration, parse_memory

_PACKAGE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?([<>=!~]=?[\w.*,<>=!~ ]+)?"
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
"""`cyto.core.layout.SAFE_NAME` without dots: a dot separates a node from its key."""


class WrongValueError(ValueError):
    """A value that cannot be used, with advice."""

    def __init__(self, message: str = "", hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(message)


class Strict(BaseModel):
    """What all parts of both formats have in common."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, populate_by_name=True, protected_namespaces=()
    )


LABELS = frozenset({"<text>", "<bool>", "<int>", "<float>", "<list>", "<map>"})
"""What pydantic puts into paths where `one_of` chose a member of a union."""


def kind_of(value: Any) -> str:  # noqa: ANN401, RUF100 - a value of any kind
    """Name the kind of a YAML value, as `one_of` takes them."""
    kinds = {str: "text", bool: "bool", int: "int", float: "float", list: "list", dict: "map"}
    return f"<{kinds.get(type(value), 'map' if isinstance(value, BaseModel) else 'other')}>"


def one_of(words: str) -> _Discriminator:
    """Choose a member of a union by the kind of the value; *words* say what is expected.

    The members are marked ``Tag("<text>")``, ``<int>``, ``<float>``, ``<bool>``, ``<list>``,
    ``<map>``; the marks never reach a message.
    """
    return _Discriminator(
        kind_of, custom_error_type="wrong_kind", custom_error_message=f"expected {words}"
    )


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise WrongValueError("a path or name cannot hold the character NUL")
    return text


def check_name(name: str) -> str:
    """Give *name* if it can name a node or a channel."""
    if NAME.fullmatch(name):
        return name
    raise WrongValueError(
        f"{name!r} cannot be a name",
        "a name has letters, digits, '_' and '-', begins with a letter or digit, "
        "and has at most 128 of them",
    )


def check_variable(name: str) -> str:
    """Give *name* if it can name an environment variable."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    raise WrongValueError(
        f"{name!r} cannot name an environment variable",
        "it has letters, digits and '_', and does not begin with a digit",
    )


def blank(make: Callable[[], Any]) -> BeforeValidator:
    """Take a key with nothing after it (``params:``) as left out."""
    return BeforeValidator(lambda value: make() if value is None else value)


def check_package(name: str) -> str:
    """Give *name* if pip reads it as a package, perhaps with a version, and as nothing else."""
    if _PACKAGE.fullmatch(name):
        return name
    raise WrongValueError(
        f"{name!r} is no package", "write names as pip takes them: scikit-image, pandas==2.2.3"
    )


def _memory(value: Any) -> int:
    _refuse_kind(value, "an amount of memory, such as 8Gi")
    try:
        amount = parse_memory(value)
    except OverflowError as error:
        raise WrongValueError("more memory than there can be") from error
    if amount < 2**20:
        raise WrongValueError(
            f"{value} is {amount} bytes, too little for any program",
            "a bare number is bytes; write 8Gi, 512Mi or 32G",
        )
    return amount


def _slurm_memory(value: Any) -> int:
    """Read memory as Slurm does: a bare number is MiB, and a final B changes nothing."""
    _refuse_kind(value, "an amount of memory, such as 32G")
    text = re.sub(r"(?<=[KMGTPkmgtp])[bB]$", "", str(value).strip())
    return _memory(text + "M" if text.isdigit() else text)


def _seconds(value: Any) -> float:
    _refuse_kind(value, "a time limit, such as 2h or 01:30:00")
    return _duration(value)


def _slurm_seconds(value: Any) -> float:
    """Read a time limit as Slurm does: a bare number is minutes."""
    _refuse_kind(value, "a time limit, such as 01:30:00")
    minutes = str(value).strip().isdigit()
    return _duration(value, unit_s=60 if minutes else 1)


def _duration(value: Any, unit_s: int = 1) -> float:
    try:
        seconds = unit_s * parse_duration(value)
        if not math.isfinite(seconds):
            raise ValueError(seconds)
        return seconds
    except (OverflowError, ValueError) as error:
        near = value if len(str(value)) < 40 else f"{str(value)[:37]}…"
        message = f"{near!r} is no time limit; write 90s, 15min, 2h or 01:30:00"
        raise WrongValueError(message) from error


def _refuse_kind(value: Any, words: str) -> None:
    if kind_of(value) not in {"<text>", "<int>", "<float>"}:
        raise WrongValueError(f"expected {words}")


_AMOUNT = WithJsonSchema({"type": ["string", "number"]})

Text = Annotated[str, Field(min_length=1), AfterValidator(_no_nul)]
Name = Annotated[str, AfterValidator(check_name)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Memory = Annotated[int, BeforeValidator(_memory), _AMOUNT]
SlurmMemory = Annotated[int, BeforeValidator(_slurm_memory), _AMOUNT]
Seconds = Annotated[float, BeforeValidator(_seconds), _AMOUNT]
SlurmSeconds = Annotated[float, BeforeValidator(_slurm_seconds), _AMOUNT]
Package = Annotated[str, AfterValidator(check_package)]
TextList = Annotated[tuple[Text, ...], Field(strict=False), blank(tuple)]
Scalar = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[int, Tag("<int>")],
    one_of("text or a whole number"),
    AfterValidator(str),
]
