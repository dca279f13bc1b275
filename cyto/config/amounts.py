"""The ``resources`` of an entry: amounts in all their spellings, and Slurm's own options."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, Tag, create_model

from cyto.config.fields import (
    Memory,
    Scalar,
    Seconds,
    SlurmMemory,
    SlurmSeconds,
    Strict,
    Text,
    TextList,
    WrongValueError,
    blank,
    one_of,
)
from cyto.config.gres import parse_gres
from cyto.config.sbatch_options import FLAGS, VALUES

Count = Annotated[int, Field(ge=1)]


def _check_gres(text: str) -> str:
    parse_gres(text)
    return text


def _join(value: Any) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    if "\n" in text or "\r" in text:
        raise WrongValueError("an option of sbatch cannot hold a line break", "write one line")
    return text


Gpus = Annotated[int, Field(ge=0)]
Gres = Annotated[Text, AfterValidator(_check_gres)]
OptionValue = Annotated[
    Annotated[Text, Tag("<text>")]
    | Annotated[int, Tag("<int>")]
    | Annotated[TextList, Tag("<list>")],
    one_of("text, a whole number or a list of text"),
    AfterValidator(_join),
]
FlagValue = Annotated[
    Annotated[bool, Tag("<bool>")] | Annotated[Text, Tag("<text>")] | Annotated[int, Tag("<int>")],
    one_of("true, false or the option's value"),
    AfterValidator(lambda value: value if isinstance(value, bool) else _join(value)),
]


class NeutralResources(Strict):
    """What a node may use: each amount under one of its spellings."""

    cpus: Count | None = Field(default=None, description="Cores.")
    cpus_per_task: Count | None = Field(
        default=None, description="Cores; the same as cpus-per-task."
    )
    cpus_per_task_slurm: Count | None = Field(
        default=None, alias="cpus-per-task", description="Cores, as Slurm spells it; implies Slurm."
    )
    memory: Memory | None = Field(
        default=None, description="8Gi, 512Mi, 32G (all powers of 1024); a bare number is bytes."
    )
    mem: SlurmMemory | None = Field(
        default=None,
        description="Memory as Slurm reads it: 32G is 32·2³⁰ bytes, a bare number is MiB.",
    )
    gpu: Gpus | None = Field(default=None, description="Number of GPUs.")
    gpus: Gpus | None = Field(default=None, description="Number of GPUs.")
    gres: Gres | None = Field(
        default=None, description="GPUs as Slurm spells them: gpu:1, gpu:a100:2; implies Slurm."
    )
    walltime: Seconds | None = Field(
        default=None, description="Time limit: 90s, 15min, 2h, 01:30:00; a bare number is seconds."
    )
    time: SlurmSeconds | None = Field(
        default=None,
        description="Time limit as Slurm reads it: 01:30:00; a bare number is minutes.",
    )
    batch_size: Count | None = Field(
        default=None, description="Frames per chunk, for tasks that treat frames independently."
    )
    max_parallel: Count | None = Field(
        default=None, description="How many of a node's chunks run at once; left out: all."
    )
    node_selector: Annotated[dict[Text, Scalar], blank(dict)] = Field(
        default_factory=dict, description="Labels that the machine must have."
    )


if TYPE_CHECKING:
    Resources = NeutralResources
else:
    _OPTIONS = dict.fromkeys(VALUES, (OptionValue | None, "Option"))
    _OPTIONS |= dict.fromkeys(FLAGS, (FlagValue | None, "Flag"))
    Resources = create_model(
        "Resources",
        __base__=NeutralResources,
        __doc__=NeutralResources.__doc__,
        **{
            f"slurm_{name.replace('-', '_')}": (
                kind,
                Field(
                    default=None,
                    alias=name,
                    description=f"{what} --{name} of sbatch; implies Slurm.",
                ),
            )
            for name, (kind, what) in sorted(_OPTIONS.items())
        },
    )
