"""What a stage-based pipeline file may hold."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Tag

from cyto.config.fields import Positive, Strict, Text, TextList, WrongValueError, blank, one_of
from cyto.config.people import Author, Authors
from cyto.config.pipeline_model import AnyChannel, Channel, Crop

END = -1
"""In ``image_range`` the same as ``null``: up to the end."""


def _range(span: tuple[int | None, ...]) -> tuple[int | None, ...]:
    if not 2 <= len(span) <= 3:
        raise WrongValueError(f"{list(span)} is not [start, stop] or [start, stop, step]")
    start, stop, step = (*span, None)[:3]
    if (start or 0) < 0 or (stop is not None and stop < END) or (step is not None and step < 1):
        raise WrongValueError(
            f"{list(span)} is wrong: expected numbers from 0 and a step of 1 or more",
            "null and -1 as stop mean the end",
        )
    if stop not in {None, END} and stop <= (start or 0):
        raise WrongValueError(
            f"nothing lies between {start or 0} and {stop}", "stop is the first one left out"
        )
    return span


def _all(text: str) -> str:
    if text == "all":
        return text
    raise WrongValueError(f"{text!r} is neither all nor a list of channels", f"write [{text}]")


def _file_name(name: str) -> str:
    if "/" in name or name in {".", ".."}:
        raise WrongValueError(f"{name!r} cannot name a file", "leave '/' out of the name")
    return name


ChannelName = Annotated[Text, AfterValidator(_file_name)]
NameList = Annotated[tuple[ChannelName, ...], Field(strict=False, min_length=1)]
Nested = Annotated[
    Annotated[ChannelName, Tag("<text>")] | Annotated[NameList, Tag("<list>")],
    one_of("a channel, or a list of channels that are given together"),
]
All = Annotated[Text, AfterValidator(_all), Tag("<text>")]
Channels = Annotated[All | Annotated[NameList, Tag("<list>")], one_of("all, or a list of channels")]
NestedChannels = Annotated[
    All
    | Annotated[Annotated[tuple[Nested, ...], Field(strict=False, min_length=1)], Tag("<list>")],
    one_of("all, or a list of channels and of lists of channels"),
]
OutputNames = Annotated[
    Annotated[ChannelName, Tag("<text>")] | Annotated[NameList, Tag("<list>")],
    one_of("a name, or a list with a name for each entry of channels"),
]
Types = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[TextList, Tag("<list>")],
    one_of("a list such as [image, feature]"),
]
Args = Annotated[dict[str, Any], blank(dict)]
Range = Annotated[tuple[int | None, ...], Field(strict=False), AfterValidator(_range)]


class ImageRange(Strict):
    """The part of the images that is read: ``[start, stop, step]`` for each axis."""

    x: Range | None = None
    y: Range | None = None
    t: Range | None = None


class Preprocessing(Strict):
    """Images to images."""

    name: Text
    channels: NestedChannels
    args: Args = Field(default_factory=dict)
    output_channel_name: OutputNames | None = None
    output: bool | None = None


class Segmentation(Strict):
    """Images to labels."""

    name: Text
    channels: Channels
    input_type: Types | None = None
    args: Args = Field(default_factory=dict)
    output_type: Types | None = None
    output: bool | None = None


class LabelToSparse(Strict):
    """Labels to tables."""

    image_label_pair: Annotated[
        tuple[
            Annotated[tuple[ChannelName, ...], Field(strict=False, min_length=2, max_length=2)],
            ...,
        ],
        Field(strict=False, min_length=1),
    ]
    output: bool | None = None


class Tracking(Strict):
    """Tables to tables with tracks."""

    name: Text
    channels: Channels
    args: Args = Field(default_factory=dict)
    output: bool | None = None


class Postprocessing(Strict):
    """Anything to images, tables and networks."""

    name: Text
    channels: NestedChannels
    input_type: Types | None = None
    output_type: Types | None = None
    args: Args = Field(default_factory=dict)
    output_channel_name: OutputNames | None = None
    output: bool | None = None


class Stages(Strict):
    """The stages, in the order in which they run."""

    preprocessing: Annotated[list[Preprocessing], blank(list)] = Field(default_factory=list)
    segmentation: Annotated[list[Segmentation], blank(list)] = Field(default_factory=list)
    label_to_sparse: LabelToSparse | None = None
    tracking: Annotated[list[Tracking], blank(list)] = Field(default_factory=list)
    postprocessing: Annotated[list[Postprocessing], blank(list)] = Field(default_factory=list)


class LegacyFile(Strict):
    """A stage-based pipeline."""

    description: str | None = None
    authors: Authors = ()
    license: Text | None = None
    microscope: Any = None
    fiji_dir: Any = None
    channels: Annotated[dict[ChannelName, AnyChannel], Field(min_length=1)]
    image_range: Annotated[ImageRange, blank(ImageRange)] = Field(default_factory=ImageRange)
    spacing: (
        Annotated[
            tuple[Positive, ...],
            Field(strict=False, min_length=2, max_length=2),
        ]
        | None
    ) = None
    output_dir: Text = "output"
    execution_profile: Text | None = None
    pipeline: Stages


Stage = Literal["preprocessing", "segmentation", "label_to_sparse", "tracking", "postprocessing"]
STAGES: tuple[Stage, ...] = (
    "preprocessing", "segmentation", "label_to_sparse", "tracking", "postprocessing",
)  # fmt: skip
SHAPES: dict[tuple[str, ...], type[Strict]] = {
    (): LegacyFile,
    ("authors", "*"): Author,
    ("image_range",): ImageRange,
    ("channels", "*"): Channel,
    ("channels", "*", "crop"): Crop,
    ("pipeline",): Stages,
    ("pipeline", "preprocessing", "*"): Preprocessing,
    ("pipeline", "segmentation", "*"): Segmentation,
    ("pipeline", "label_to_sparse"): LabelToSparse,
    ("pipeline", "tracking", "*"): Tracking,
    ("pipeline", "postprocessing", "*"): Postprocessing,
}
"""Which model stands at which path; ``*`` is any key."""
