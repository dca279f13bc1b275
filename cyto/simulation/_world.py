"""Cells that move, touch, divide and die (NumPy only)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RADIUS_UM = {"tcell": 4.5, "cancer": 7.5}
SPEED_UM_PER_MIN = {"tcell": 4.0, "cancer": 0.4}
TURN_RAD = {"tcell": 0.5, "cancer": 0.8}
"""Standard deviation of the change of heading per frame."""
DIVIDE_PER_FRAME = {"tcell": 0.001, "cancer": 0.006}
GROW_FRAMES = 12
SIGHT_UM = 60.0
"""How far a T cell notices a cancer cell."""
HOLD_FRAMES = 9
"""How long a T cell holds on to a cancer cell, on average."""
REST_FRAMES = 6
"""How long it then ignores all of them."""
KILL_AFTER_FRAMES = 5
"""The shortest contact that kills."""
KILL_PER_FRAME = 0.08
DIE_PER_FRAME = 0.004
MAX_CELLS = 60000


@dataclass
class Cell:
    """One cell, or one life between two divisions."""

    track_id: int
    kind: str
    y: float
    x: float
    radius: float
    heading: float
    waves: NDArray[np.float64]
    """Amplitudes and phases of the outline's Fourier modes 2 to 5, (2, 4)."""
    grain: NDArray[np.float64]
    """Wave vectors and phases of the marker's texture, (2, 3)."""
    brightness: float
    parent: int = -1
    born: int = -GROW_FRAMES
    died: int | None = None
    resting_until: int = 0
    held: int = 0
    touched: dict[int, int] = field(default_factory=dict)
    """Cancer cells only: consecutive frames of contact by T cell."""

    def alive(self, frame: int) -> bool:
        """Tell whether it lives in *frame*."""
        return self.died is None or frame < self.died

    def size(self, frame: int) -> float:
        """Give the mean radius in *frame*, px: daughters grow, the dead shrink."""
        grown = min(1.0, (frame - self.born) / GROW_FRAMES)
        shrunk = 1.0 if self.died is None else 1 - 0.15 * min(1.0, max(0, frame - self.died) / 6)
        return self.radius * (0.8 + 0.2 * grown) * shrunk


class World:
    """All cells of an assay at one time.

    Parameters
    ----------
    rng
        Source of every chance event.
    size, tcells, cancer_cells, pixel_um, step_s, killing
        See `cyto.simulation.simulate_assay`.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        size: tuple[int, int],
        tcells: int,
        cancer_cells: int,
        pixel_um: float,
        step_s: float,
        killing: float = 1.0,
    ) -> None:
        self.rng, self.frame, self.killing = rng, 0, killing
        self.bounds = np.array(size, float)
        self.pixel_um, self.minutes = pixel_um, step_s / 60
        self.cells: list[Cell] = []
        self.deaths: list[tuple[int, int, int]] = []
        self._last_id = 0
        for kind, number in (("cancer", cancer_cells), ("tcell", tcells)):
            for _ in range(number):
                self._settle(kind)
        for _ in range(20):
            self._push_apart()

    def of(self, kind: str) -> list[Cell]:
        """Give the cells of one population."""
        return [cell for cell in self.cells if cell.kind == kind]

    def step(self, frame: int) -> None:
        """Advance to *frame*."""
        self.frame = frame
        self._divide()
        prey = [cell for cell in self.of("cancer") if cell.alive(frame)]
        for cell in self.cells:
            self._change_shape(cell)
            if cell.kind == "tcell":
                self._hunt(cell, prey)
            elif cell.alive(frame):
                self._walk(cell, 1.0)
        for _ in range(6):
            self._push_apart()

    def note_contacts(self, touching: Sequence[tuple[int, int]], frame: int, *, last: bool) -> None:
        """Count contacts in *frame* and let some cells die in the next one."""
        now: dict[int, list[int]] = {}
        for tcell, cancer in touching:
            now.setdefault(cancer, []).append(tcell)
        for cell in self.of("cancer"):
            cell.touched = {t: cell.touched.get(t, 0) + 1 for t in now.get(cell.track_id, [])}
            chance = self.rng.random()
            if last or cell.died is not None:
                continue
            longest = max(cell.touched, key=lambda t: (cell.touched[t], -t), default=-1)
            if longest < 0 and chance < DIE_PER_FRAME:
                self._kill(cell, frame + 1, -1)
            enough = longest >= 0 and cell.touched[longest] >= KILL_AFTER_FRAMES
            if enough and chance < KILL_PER_FRAME * self.killing:
                self._kill(cell, frame + 1, longest)

    def _kill(self, cell: Cell, frame: int, killer: int) -> None:
        cell.died = frame
        self.deaths.append((cell.track_id, frame, killer))

    def _settle(self, kind: str) -> None:
        """Put one new cell where there is most room of 30 places tried."""
        radius = RADIUS_UM[kind] / self.pixel_um * self.rng.normal(1, 0.08)
        margin = np.minimum(radius, self.bounds / 3)
        places = self.rng.uniform(margin, self.bounds - margin, size=(30, 2))
        room = np.full(30, np.inf)
        for cell in self.cells:
            apart = np.hypot(places[:, 0] - cell.y, places[:, 1] - cell.x)
            room = np.minimum(room, apart - cell.radius)
        free = np.flatnonzero(room > radius)
        y, x = places[free[0] if len(free) else int(np.argmax(room))]
        self.cells.append(self._new(kind, float(y), float(x), float(radius)))

    def _new(self, kind: str, y: float, x: float, radius: float, **more: Any) -> Cell:
        self._last_id += 1
        rng = self.rng
        scale = np.array([0.09, 0.05, 0.03, 0.02]) * (1.4 if kind == "tcell" else 1.0)
        waves = np.stack([np.abs(rng.normal(0, scale)), rng.uniform(0, 2 * np.pi, 4)])
        grain = np.column_stack([rng.normal(0, 2.5, (2, 2)), rng.uniform(0, 2 * np.pi, 2)])
        return Cell(
            self._last_id,
            kind,
            y,
            x,
            radius,
            rng.uniform(0, 2 * np.pi),
            waves,
            grain,
            float(np.exp(rng.normal(0, 0.25))),
            **more,
        )

    def _change_shape(self, cell: Cell) -> None:
        if cell.alive(self.frame):
            cell.waves[0] = np.clip(cell.waves[0] + self.rng.normal(0, 0.008, 4), 0.0, 0.12)
            cell.waves[1] += self.rng.normal(0, 0.15, 4)

    def _walk(self, cell: Cell, pace: float) -> None:
        cell.heading += self.rng.normal(0, TURN_RAD[cell.kind])
        speed = SPEED_UM_PER_MIN[cell.kind] * self.minutes / self.pixel_um
        step = pace * speed * np.exp(self.rng.normal(0, 0.3))
        cell.y += float(step * np.sin(cell.heading))
        cell.x += float(step * np.cos(cell.heading))
        self._keep_inside(cell)

    def _hunt(self, cell: Cell, prey: Sequence[Cell]) -> None:
        """Walk towards the nearest live cancer cell in sight, or hold on to it."""
        target, gap = self._nearest(cell, prey)
        if target is None or cell.resting_until > self.frame or gap > SIGHT_UM / self.pixel_um:
            cell.held = 0
            self._walk(cell, 1.0)
            return
        towards = np.arctan2(target.y - cell.y, target.x - cell.x)
        turn = (towards - cell.heading + np.pi) % (2 * np.pi) - np.pi
        cell.heading += float(turn) * (0.5 if gap > 0 else 1.0)
        if gap > 1.0:
            speed = SPEED_UM_PER_MIN["tcell"] * self.minutes / self.pixel_um
            self._walk(cell, min(1.0, (gap + 1) / speed))
            return
        cell.held += 1
        self._walk(cell, 0.1)
        if self.rng.random() < 1 / HOLD_FRAMES and cell.held > 2:
            cell.resting_until, cell.heading = self.frame + REST_FRAMES, float(towards + np.pi)

    def _nearest(self, cell: Cell, prey: Sequence[Cell]) -> tuple[Cell | None, float]:
        if not prey:
            return None, np.inf
        gaps = [np.hypot(p.y - cell.y, p.x - cell.x) - p.size(self.frame) for p in prey]
        best = int(np.argmin(gaps))
        return prey[best], float(gaps[best]) - cell.size(self.frame)

    def _keep_inside(self, cell: Cell) -> None:
        margin = np.minimum(cell.size(self.frame), self.bounds / 3)
        place = np.array([cell.y, cell.x])
        if np.any(place < margin) or np.any(place > self.bounds - 1 - margin):
            cell.heading += float(np.pi / 2 + self.rng.uniform(0, np.pi))
        cell.y, cell.x = np.clip(place, margin, self.bounds - 1 - margin).tolist()

    def _push_apart(self) -> None:
        """Move overlapping cells apart; a T cell may lie 2 px over a cancer cell's edge."""
        place = np.array([[cell.y, cell.x] for cell in self.cells]).reshape(-1, 2)
        radius = np.array([cell.size(self.frame) for cell in self.cells])
        hunter = np.array([cell.kind == "tcell" for cell in self.cells], bool)
        weight = np.where(hunter, 1.0, 0.15)  # a T cell gives way to a cancer cell
        apart = place[:, None] - place[None]
        distance = np.hypot(apart[..., 0], apart[..., 1]) + 1e-9
        allowed = np.where(hunter[:, None] == hunter[None], 0.0, 2.0)
        overlap = np.clip(radius[:, None] + radius[None] - allowed - distance, 0, None)
        np.fill_diagonal(overlap, 0)
        share = weight[:, None] / (weight[:, None] + weight[None])
        place += ((overlap * share / distance)[..., None] * apart).sum(axis=1) * 0.7
        for cell, (y, x) in zip(self.cells, place.tolist()):  # noqa: B905 - Python 3.9
            margin = np.minimum(cell.size(self.frame), self.bounds / 3)
            cell.y, cell.x = np.clip([y, x], margin, self.bounds - 1 - margin).tolist()

    def _divide(self) -> None:
        """Replace some mothers by two daughters while there is room."""
        covered = sum(np.pi * cell.radius**2 for cell in self.cells) / self.bounds.prod()
        for cell in list(self.cells):
            chance = self.rng.random()
            grown = cell.alive(self.frame) and self.frame - cell.born >= GROW_FRAMES
            room = covered < 0.6 and self._last_id < MAX_CELLS
            if not (grown and room and chance < DIVIDE_PER_FRAME[cell.kind]):
                continue
            self.cells.remove(cell)
            for side in (-0.6, 0.6):
                dy, dx = np.sin(cell.heading), np.cos(cell.heading)
                y, x = cell.y + side * cell.radius * dy, cell.x + side * cell.radius * dx
                self.cells.append(
                    self._new(
                        cell.kind,
                        float(y),
                        float(x),
                        cell.radius,
                        parent=cell.track_id,
                        born=self.frame,
                    )
                )
