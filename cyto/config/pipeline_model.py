"""The pipeline format: what a ``pipeline.X.yaml`` may hold."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Tag

from cyto.config.fields import (
    Name,
    Positive,
    Strict,
    Text,
    TextList,
    WrongValueError,
    blank,
    one_of,
)
from cyto.config.people import Author, Authors

Edge = Annotated[int, Field(ge=0)] | None
RESERVED = {
    "default": "in a resources file it addresses every node",
    "logs": "the output folder has a folder of that name",
    "workflow": "the output folder has a folder of that name",
}


def _increasing(span: tuple[int | None, ...]) -> tuple[int | None, ...]:
    start, stop = span[0] or 0, span[1]
    if stop is not None and stop <= start:
        raise WrongValueError(
            f"nothing lies between {start} and {stop}", "the end is not included: [0, 10] is ten"
        )
    if len(span) == 3 and span[2] == 0:
        raise WrongValueError("the step must be 1 or more, not 0")
    return span


Span = Annotated[
    tuple[Edge, ...],
    Field(strict=False, min_length=2, max_length=2, examples=[[0, 512]]),
    AfterValidator(_increasing),
]
Frames = Annotated[
    tuple[Edge, ...],
    Field(strict=False, min_length=2, max_length=3, examples=[[0, 100, 2]]),
    AfterValidator(_increasing),
]


class Crop(Strict):
    """A part of every frame, in pixels; the end is not included."""

    y: Span | None = Field(default=None, description="First row and the row after the last.")
    x: Span | None = Field(default=None, description="First column and the column after the last.")


class Channel(Strict):
    """Images of one channel: a file, a glob, a folder of frames, an OME-Zarr."""

    path: Text = Field(description="File, glob or folder, relative to this file.")
    channel: (
        Annotated[
            Annotated[Annotated[int, Field(ge=0)], Tag("<int>")] | Annotated[Text, Tag("<text>")],
            one_of("a channel's number (from 0) or its name"),
        ]
        | None
    ) = Field(
        default=None, description="Which channel of a multi-channel file: number from 0, or name."
    )
    scene: (
        Annotated[
            Annotated[Annotated[int, Field(ge=0)], Tag("<int>")] | Annotated[Text, Tag("<text>")],
            one_of("a scene's number (from 0) or its name"),
        ]
        | None
    ) = Field(
        default=None, description="Which image of a file with several: number from 0, or name."
    )
    pixel_size_um: Positive | None = Field(
        default=None, description="Overrides what the file says."
    )
    frame_interval_s: Positive | None = Field(
        default=None, description="Overrides what the file says."
    )
    frames: Frames | None = Field(
        default=None, description="start, stop and step; stop is not included."
    )
    crop: Crop | None = Field(default=None, description="Read only this part of each frame.")
    axes: Annotated[str, Field(pattern=r"^[A-Z]{2,8}$")] | None = Field(
        default=None,
        description="Meaning of the file's dimensions, such as TCYX; overrides the file.",
    )


def _as_channel(value: str | Channel) -> Channel:
    return Channel(path=value) if isinstance(value, str) else value


AnyChannel = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[Channel, Tag("<map>")],
    one_of("the path of images, or a mapping with path"),
    AfterValidator(_as_channel),
]
Inputs = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[dict[Text, Text], Tag("<map>")],
    one_of("'key: channel' or 'key: node.key' pairs, or one name"),
]


Condition = (
    Annotated[
        Annotated[Text, Tag("<text>")]
        | Annotated[int, Tag("<int>")]
        | Annotated[float, Field(allow_inf_nan=False), Tag("<float>")]
        | Annotated[bool, Tag("<bool>")],
        one_of("text, a number, true or false"),
    ]
    | None
)
OneSample = Annotated[
    Annotated[Text, Tag("<text>")]
    | Annotated[int, Tag("<int>")]
    | Annotated[dict[Text, Condition], Tag("<map>")],
    one_of("a sample's name, or a mapping with sample and its conditions"),
]
Samples = Annotated[
    Annotated[Text, Tag("<text>")]
    | Annotated[
        tuple[OneSample, ...],
        Field(
            strict=False,
            min_length=1,
            examples=[[{"sample": "a1", "treatment": "control"}]],
        ),
        Tag("<list>"),
    ],
    one_of("a glob, the path of a CSV file, or a list of samples"),
]


class Output(Strict):
    """How results are exported for people."""

    images: Literal["ome-tiff", "ome-zarr"] = Field(
        default="ome-tiff", description="Format of images and labels."
    )
    compression: Literal["zstd", "zlib", "none"] | None = Field(
        default=None, description="Of images and labels; zlib for old readers. Left out: zstd."
    )
    parquet: bool = Field(default=False, description="Write tables as Parquet beside the CSV.")


AnyOutput = Annotated[
    Annotated[bool, Tag("<bool>")] | Annotated[Output, Tag("<map>")],
    one_of("true or false, or a mapping with images, compression, parquet"),
]


class Task(Strict):
    """A node: a named use of a task."""

    module: Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)+$")] = Field(
        description="Dotted path of the class, such as cyto.segmentation.cellpose.CellPose."
    )
    params: Annotated[dict[str, Any], blank(dict)] = Field(
        default_factory=dict, description="Parameters of the task's constructor."
    )
    inputs: Inputs | None = Field(
        default=None,
        description="For each input a channel, `node` or `node.key`; one name alone gives all "
        "that it offers. Left out: the outputs of the dependencies.",
    )
    dependencies: TextList = Field(
        default=(), description="Nodes that must have ended; inputs imply them."
    )
    tags: TextList = Field(default=(), description="Labels that a profile can address as tag:NAME.")
    output: AnyOutput = Field(
        default=False,
        description="Export the results for people: true, or a mapping that says how.",
    )
    retries: int = Field(
        default=0, ge=0, le=100, description="How often to try again after a failure."
    )
    collect: bool = Field(
        default=False,
        description="With samples: run once and get the tables of all samples, joined, with the "
        "columns `sample` and each condition in front.",
    )


def _free(name: str) -> str:
    if name in RESERVED:
        raise WrongValueError(f"{name!r} cannot name a node: {RESERVED[name]}")
    return name


class Pipeline(Strict):
    """What to compute: channels and a graph of tasks."""

    description: str = Field(default="", description="For people.")
    authors: Authors = Field(
        default=(), description="Who made it, for the record of a run: names, or mappings."
    )
    license: Text | None = Field(
        default=None,
        description="What others may do with pipeline and results: an SPDX identifier such as "
        "CC-BY-4.0, an address, or text.",
    )
    samples: Samples | None = Field(
        default=None,
        description="Run the pipeline once per sample: a glob (each match is one), a CSV file (a "
        "row is one, columns are conditions), or a list. Paths of channels hold the placeholders "
        "{sample}, {path} (the glob's match) and {COLUMN}.",
    )
    channels: Annotated[dict[Name, AnyChannel], blank(dict)] = Field(
        default_factory=dict, description="Name of each channel and where its images are."
    )
    output_dir: Text = Field(
        default="output", description="Where results go, relative to this file."
    )
    tasks: dict[Annotated[Name, AfterValidator(_free)], Task] = Field(
        min_length=1, description="Name of each node and what it does."
    )
    execution_profile: Text | None = Field(
        default=None, description="Profile of the resources file; --profile wins over it."
    )
    pixel_size_um: Positive | None = Field(
        default=None, description="Calibration for all channels."
    )
    frame_interval_s: Positive | None = Field(
        default=None, description="Calibration for all channels."
    )
    seed: int = Field(default=0, ge=0, description="Seed of every task that draws random numbers.")


SHAPES: dict[tuple[str, ...], type[Strict]] = {
    (): Pipeline,
    ("authors", "*"): Author,
    ("channels", "*"): Channel,
    ("channels", "*", "crop"): Crop,
    ("tasks", "*"): Task,
    ("tasks", "*", "output"): Output,
}
"""Which model stands at which path; ``*`` is any key."""
