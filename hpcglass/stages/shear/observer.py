"""Whoever watches a loading: looks at the glass before and after each step, and leaves it as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from hpcglass.stages.base import Context
from hpcglass.stages.shear.loading import Step

if TYPE_CHECKING:
    from hpcglass.stages.protocol import Walk


class Observer(Protocol):
    """What the loop of a loading asks of its observers. All methods are collective.

    To add one: a file with such a class, a line in `Shear.observers`. What it keeps of the particles lives in `system.fields`,
    so that it moves with them; the rest in `scalars`, which it is given back as the last argument of its `__init__`.
    """

    @property
    def scalars(self) -> dict[str, Any]:
        """Numbers from which it goes on after a restart."""

    def before(self) -> None:
        """A step is about to be tried. It may be taken back, and tried again."""

    def after(self, step: Step) -> None:
        """A step was made, and recorded."""

    def finish(self, strain: float) -> None:
        """The loading is over, at a strain: store what was seen."""


class Frames:
    """Configurations along a loading, each once: every so many whole steps, and when another observer asks for one."""

    def __init__(self, context: Context, walk: Walk, every: int, scalars: dict[str, Any] | None = None) -> None:
        self.context, self.walk, self.every = context, walk, every
        self.last = int(scalars["last frame"]) if scalars else -1       # step of the last one

    @property
    def scalars(self) -> dict[str, Any]:
        return {"last frame": self.last}

    def write(self, step: int, strain: float, **fields: Any) -> None:
        """The present configuration, that of a step, unless it was kept already."""
        if self.last != step:
            self.context.frame(step, strain, **fields)
            self.last = step

    def before(self) -> None:
        """Nothing to see."""

    def after(self, step: Step) -> None:
        """Called last: what others say of an event goes into its frame."""
        if self.every and not self.walk.between and self.walk.whole_steps % self.every == 0:
            self.write(step.number, step.state.strain)

    def finish(self, strain: float) -> None:
        """All is written."""
