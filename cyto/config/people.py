"""Who made a pipeline, and what others may do with it and its results."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, Tag

from cyto.config.fields import Strict, Text, WrongValueError, one_of

_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])/?")
ORCID_BASE = "https://orcid.org/"


def check_orcid(text: str) -> str:
    """Give an ORCID iD as an address.

    Raises
    ------
    WrongValueError
        Not 16 digits in four groups, or the last, a checksum (ISO 7064 MOD 11-2), does not fit.
    """
    found = _ORCID.fullmatch(text.strip())
    if found is None:
        raise WrongValueError(
            f"{text!r} is no ORCID iD", "write four groups of four, such as 0000-0002-1825-0097"
        )
    digits = found[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    rest = (12 - total % 11) % 11
    if digits[-1] != ("X" if rest == 10 else str(rest)):
        raise WrongValueError(f"{text!r} is no ORCID iD: a digit is wrong", "see https://orcid.org")
    return ORCID_BASE + found[1]


class Author(Strict):
    """A person who made the pipeline or the data."""

    name: Text = Field(description="As it is to be cited.")
    orcid: Annotated[Text, AfterValidator(check_orcid)] | None = Field(
        default=None, description="ORCID iD, such as 0000-0002-1825-0097."
    )
    affiliation: Text | None = Field(default=None, description="Where the person works.")


def _as_author(value: str | Author) -> Author:
    return Author(name=value) if isinstance(value, str) else value


AnyAuthor = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[Author, Tag("<map>")],
    one_of("a name, or a mapping with name, orcid, affiliation"),
    AfterValidator(_as_author),
]
Authors = Annotated[
    tuple[AnyAuthor, ...],
    Field(strict=False, examples=[[{"name": "Second Author", "orcid": "0000-0002-1825-0097"}]]),
]
