"""What each dimension of an image file means."""

from __future__ import annotations

from collections.abc import Sequence

from cyto.errors import ChannelError

KNOWN = "TCZYX"
_NAMELESS = "QI"  # tifffile's letters for "the file does not say"
_NAMES = {"S": "RGB sample", "P": "phase", "R": "position", "A": "angle", "H": "lifetime"}


def resolve_axes(
    axes: str, shape: Sequence[int], *, asked: str | None, pick: bool
) -> tuple[str, tuple[int, ...]]:
    """Name every dimension by one of ``TCZYX``, leaving out nameless ones of size 1.

    Parameters
    ----------
    axes, shape
        As the file has them, dimensions of size 1 included.
    asked
        What the user wrote as the channel's ``axes``; it wins over the file.
    pick
        Whether the user picks a channel: a dimension without a name is then C, else T.

    Raises
    ------
    ChannelError
        *asked* does not fit, or a dimension has no meaning here.
    """
    if asked is not None:
        axes, shape = _asked(asked.upper(), axes, shape)
    else:
        axes, shape = _squeezed(axes, shape)
        axes = _named(axes, shape, pick=pick)
    if "Z" in axes and shape[axes.index("Z")] > 1:
        raise ChannelError(
            f"the image has {shape[axes.index('Z')]} Z slices ({describe(axes, shape)});"
            " only planes can be analysed",
            hint="choose a slice or project along Z beforehand; if Z is really time, write"
            f" axes: {axes.replace('T', '').replace('Z', 'T')} beside the path",
        )
    return axes, tuple(shape)


def describe(axes: str, shape: Sequence[int]) -> str:
    """Write sizes with their letters, as in ``T=10, C=2, Y=512, X=512``."""
    return ", ".join(f"{letter}={size}" for letter, size in zip(axes, shape, strict=True))


def _squeezed(axes: str, shape: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    kept = [i for i, n in enumerate(shape) if n != 1 or axes[i] in "YX"]
    return "".join(axes[i] for i in kept), tuple(shape[i] for i in kept)


def _asked(asked: str, axes: str, shape: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    if set(asked) - set(KNOWN) or len(set(asked)) < len(asked) or not {"Y", "X"} <= set(asked):
        raise ChannelError(
            f"axes {asked!r} are not known",
            hint="write each dimension once, as a letter of TCZYX, Y and X among them: axes: TCYX",
            key="axes",
        )
    without = tuple(n for n in shape if n != 1)
    for sizes in (_squeezed(axes, shape)[1], without, tuple(shape)):
        if len(sizes) == len(asked):
            return asked, sizes
    sizes = _squeezed(axes, shape)[1]
    raise ChannelError(
        f"axes {asked!r} name {len(asked)} dimensions, the image has {len(sizes)}: {sizes}",
        hint=f"write {len(sizes)} letters",
        key="axes",
    )


def _named(axes: str, shape: Sequence[int], *, pick: bool) -> str:
    unknown = [letter for letter in axes if letter not in KNOWN]
    if not unknown:
        return axes
    if "S" in unknown:
        raise ChannelError(
            f"the image is in colour, RGB or the like ({describe(axes, shape)});"
            " a channel has one value per pixel",
            hint="convert it to greyscale or split its colours; to take one of them write"
            f" axes: {axes.replace('S', 'C')} and channel: 0 beside the path",
        )
    free = [letter for letter in ("CT" if pick else "T") if letter not in axes]
    if len(unknown) > 1 or unknown[0] not in _NAMELESS or not free:
        names = " and ".join(_NAMES.get(letter, f"{letter!r}") for letter in unknown)
        raise ChannelError(
            f"the file does not say what its dimensions mean: {names} in {describe(axes, shape)}",
            hint="write what each of them is beside the path, as in axes: TCYX",
        )
    return axes.replace(unknown[0], free[0])
