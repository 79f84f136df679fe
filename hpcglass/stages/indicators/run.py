"""Structural indicators of a configuration, or of several along a loading: who may yield?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass.stages.base import Context, GivenUp, Snapshot, Stage, sparse_memory
from hpcglass.stages.indicators.params import IndicatorsParams

if TYPE_CHECKING:
    from hpcglass.core.look import Look
    from hpcglass.core.system import System
    from hpcglass.indicators.base import Indicator
    from hpcglass.indicators.glass import Glass
    from hpcglass.indicators.plane import Plane
    from hpcglass.stages.indicators.along import Place

RESPONSE = ("hessian", "factors", "modes")
WITHOUT_REST = ("positions", "potential")       # what indicators may need of a configuration that is no minimum


class Indicators(Stage):
    """Structural indicators."""

    name = "indicators"
    Params = IndicatorsParams

    def run(self, system: System, context: Context) -> None:
        """One after the other, a safe point after each."""
        from hpcglass.indicators.catalogue import INDICATORS, chosen

        params: IndicatorsParams = self.params
        wanted = chosen(params.which, system.dimension)
        context.cite("richard2020")
        lacking = {name: indicator.lacks(system.dimension) for name, indicator in INDICATORS.items()
                   if indicator not in wanted and indicator.lacks(system.dimension)}
        if lacking:
            packages = ", ".join(sorted(set(lacking.values())))
            context.log(f"indicators: left out, as {packages} is not installed: {', '.join(lacking)}")
        done = int(context.restored.scalars["done"]) if context.restored else 0
        total = self.along(context, wanted, done) if params.of else self.present(system, context, wanted, done)
        context.reached(total, 0.0)

    def present(self, system: System, context: Context, wanted: Sequence[Indicator], done: int) -> int:
        """Of the stage's configuration; how many there are."""
        glass = self.glass(system, wanted, context.look)
        for number, indicator in enumerate(wanted[done:], done + 1):
            try:
                values = compute(glass, indicator, context)
            except GivenUp:
                context.safe_point(number - 1, len(wanted), partial(Snapshot, {"done": number - 1}))
                raise
            context.field(indicator.name, values, indicator.units, f"{indicator.symbol}: {indicator.summary}")
            for name, told in glass.results.items():
                context.result(name, *told)
            for name, (rows, columns) in glass.tables.items():
                table = context.table(name, **columns)
                for row in rows:
                    table.append(**dict(zip(columns, map(float, row), strict=True)))
            glass.tables.clear()
            context.safe_point(number, len(wanted), partial(Snapshot, {"done": number}), indicator.name)
        return len(wanted)

    def along(self, context: Context, wanted: Sequence[Indicator], done: int) -> int:
        """Of configurations along a loading: row k of the table `configurations`, frame k, column k of each field."""
        from hpcglass.stages.indicators.along import COLUMNS, Loading

        loading = Loading(context.earlier(self.params.of), self.params, context.look)
        places = loading.places()
        table, total = context.table("configurations", **COLUMNS), len(places) * len(wanted)
        if not context.restored:
            for place in places:
                table.append(**place.row)
            context.log(f"indicators: {len(places)} configuration{'s' * (len(places) != 1)} along {self.params.of}, "
                        f"{len(loading.events)} of its events")
            context.safe_point(0, total, partial(Snapshot, {"done": 0}), "to begin with")
        for column in range(done // len(wanted), len(places)):
            first = max(done - column * len(wanted), 0)
            try:
                with context.timer("configurations"):
                    system = loading.configuration(places[column])
            except GivenUp:
                number = column * len(wanted) + first
                context.safe_point(number, total, partial(Snapshot, {"done": number}))
                raise
            if not first:
                context.frame(column, places[column].strain, of=system)
            self.at_place(context, system, places, column, wanted, first)
        loading.files.close()
        return total

    def at_place(self, context: Context, system: System, places: Sequence[Place], column: int, wanted: Sequence[Indicator],
                 first: int) -> None:
        """All indicators, from number `first`, of one configuration; NaN where one needs a minimum and it is none."""
        import numpy as np

        place = places[column]
        possible = [indicator for indicator in wanted if not place.moved or indicator.needs in WITHOUT_REST]
        glass = self.glass(system, possible, context.look)
        for k, indicator in enumerate(wanted[first:], first + 1):
            number, total = column * len(wanted) + k, len(places) * len(wanted)
            try:
                values = compute(glass, indicator, context) if indicator in possible else np.full(system.n_owned, np.nan)
            except GivenUp:
                context.safe_point(number - 1, total, partial(Snapshot, {"done": number - 1}))
                raise
            context.field_column(indicator.name, column, values, indicator.units, f"{indicator.symbol}: {indicator.summary}",
                                 of=system)
            context.safe_point(number, total, partial(Snapshot, {"done": number}),
                               f"strain {place.strain:.4g}, {indicator.name}")

    def glass(self, system: System, wanted: Sequence[Indicator], look: Look) -> Glass:
        """A configuration under questions; PhysicsError if it must be a minimum, and is none."""
        from hpcglass.indicators.glass import Choices, Glass
        from hpcglass.landscape.expansion import check_minimum

        params: IndicatorsParams = self.params
        if any(indicator.needs in RESPONSE for indicator in wanted):
            check_minimum(system)
        plane = read_plane(system.comm, params.softness) if params.softness else None
        return Glass(system, Choices(params.plane, params.x_cut, params.s2_delta, params.s2_range, params.r_c, params.modes,
                                     params.kick_steps, params.nonlinear_cell, params.nonlinear_tolerance,
                                     saddle_starts=tuple(params.saddle_starts), saddle_cell=params.saddle_cell,
                                     saddle_radius=params.saddle_radius, saddle_refined=params.saddle_refined, softness=plane),
                     look=look)

    def force_evaluations(self, particles: int) -> float:
        from hpcglass.indicators.catalogue import needs

        params: IndicatorsParams = self.params
        needed = needs(params.which)
        starts = 20.0 * particles / params.nonlinear_cell**2 * bool({"all", "nonlinear"} & set(params.which))
        saddles = 1.5e5 * (4.0 / params.saddle_cell) ** 2 * bool({"all", "saddles", "sps"} & set(params.which))
        return (200.0 + saddles + (30.0 * params.modes + 5 * params.kick_steps) * bool(needed & {"factors", "modes"})
                + 2.0 * starts)

    def memory(self, particles: int, dimension: int) -> float:
        from hpcglass.indicators.catalogue import needs

        return sparse_memory(particles, dimension) * bool(needs(self.params.which) & set(RESPONSE)) + 1000.0 * particles


def read_plane(comm: Any, name: str) -> Plane:
    """What `hpcglass softness train` wrote. Collective; InputError if a file is none of its, FileError if it is damaged."""
    import numpy as np

    from hpcglass.indicators.plane import Plane
    from hpcglass.sealed.file import File
    from hpcglass.stages.lattice.files import read_on_root

    def read() -> Any:
        with File(Path(name)) as file:
            if "/results/softness_plane/weight" not in file:
                raise ValueError("this is no file of `hpcglass softness train`")
            model = np.frombuffer(str(file.value("/results/softness_model")).encode(), dtype=np.uint8).astype(np.float64)
            rows = [np.asarray(file.value(f"/results/softness_plane/{column}")) for column in ("weight", "mean", "scale")]
            return np.concatenate([[len(model), len(rows[0]), float(file.value("/results/softness_intercept"))], model, *rows])

    told = read_on_root(comm, read, name)
    letters, functions = int(told[0]), int(told[1])
    weight, mean, scale = told[3 + letters:].reshape(3, functions)
    return Plane(told[3: 3 + letters].astype(np.uint8).tobytes().decode(), weight, mean, scale, float(told[2]))


def compute(glass: Glass, indicator: Indicator, context: Context) -> Any:
    """(n_owned,) values, timed. Collective."""
    import numpy as np

    with context.timer(indicator.family):
        return np.asarray(indicator.compute(glass), dtype=np.float64)
