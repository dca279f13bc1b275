"""The images of a pipeline's channels, looked at before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cyto.config import PipelineConfig, Sample
from cyto.config.placeholders import filled
from cyto.config.samples import sample_place, templates
from cyto.engine.plan import plain_name
from cyto.errors import ChannelError, Problem

if TYPE_CHECKING:
    from cyto.io.channels import Channel, ChannelSpec

_THREADS = 8
_SHOWN = 20


def look_at_channels(
    config: PipelineConfig, wanted: Mapping[str, Sample | None]
) -> tuple[dict[str, Channel], dict[str, Problem], list[Problem]]:
    """Look at channels without reading their pixels; all of them, so that all problems show.

    Parameters
    ----------
    wanted
        The sample of each channel, by its name in the plan; ``None`` for those that are the same
        for all samples.

    Returns
    -------
    The channels by name; what is wrong with those of single samples, by name, while another
    sample has no fault; and what is wrong otherwise.
    """
    if not wanted:
        return {}, {}, []
    with ThreadPoolExecutor(_THREADS) as threads:
        found = dict(
            zip(
                wanted,
                threads.map(lambda item: _look(config, *item), wanted.items()),
                strict=True,
            )
        )
    channels = {name: each for name, each in found.items() if not isinstance(each, Problem)}
    broken = {name: each for name, each in found.items() if isinstance(each, Problem)}
    ours = [problem for name, problem in broken.items() if wanted[name] is None]
    theirs = {name: problem for name, problem in broken.items() if wanted[name] is not None}
    samples = {sample.name for sample in wanted.values() if sample is not None}
    bad = {sample.name for name in theirs if (sample := wanted[name]) is not None}
    if samples and bad == samples:
        return channels, {}, [*ours, *_first(theirs)]
    return channels, theirs, ours


def _first(problems: Mapping[str, Problem]) -> list[Problem]:
    """Show the first of many problems, and say how many more there are."""
    listed = list(problems.values())
    if len(listed) <= _SHOWN:
        return listed
    more = f"and {len(listed) - _SHOWN} more channels of samples have faults"
    return [*listed[:_SHOWN], Problem(more, file=listed[0].file)]


def _look(config: PipelineConfig, full: str, sample: Sample | None) -> Channel | Problem:
    from cyto.io.channels import inspect_channel  # NumPy comes with it

    name = plain_name(full)
    try:
        return inspect_channel(_spec(config, name, sample))
    except ChannelError as error:
        path = config.channel_key(name, error.key)
        if sample is None:
            return config.problem(path, error.message, error.hint)
        at = sample_place(config, sample, path)
        hint = "; ".join(part for part in (error.hint, at) if part)
        return config.problem(path, f"sample {sample.name!r}: {error.message}", hint)


def _spec(config: PipelineConfig, name: str, sample: Sample | None) -> ChannelSpec:
    from cyto.io.channels import ChannelSpec

    channel, model = config.channels[name], config.model
    crop = channel.crop
    spans = {} if crop is None else {"y": crop.y, "x": crop.x}
    path, picks = channel.path, {"channel": channel.channel, "scene": channel.scene}
    if model.samples is not None:
        values = {} if sample is None else sample.values
        texts = templates(channel)
        path = filled(texts.pop("path"), values, pattern=True)
        picks |= {key: _pick(filled(text, values), text) for key, text in texts.items()}
    return ChannelSpec(
        name=name,
        path=str(config.resolve(path)),
        channel=picks["channel"],
        scene=picks["scene"],
        frames=channel.frames and (*channel.frames, None)[:3],  # type: ignore[arg-type]
        crop={axis: span for axis, span in spans.items() if span} or None,  # type: ignore[misc]
        axes=channel.axes,
        pixel_size_um=channel.pixel_size_um or model.pixel_size_um,
        frame_interval_s=channel.frame_interval_s or model.frame_interval_s,
        clip=channel.clip,
    )


def _pick(text: str, written: str) -> int | str:
    """Take a placeholder's digits as a number: scenes are numbered more often than so named."""
    return int(text) if text.isdecimal() and text != written else text
