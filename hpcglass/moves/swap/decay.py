"""How fast a liquid forgets where its particles were and which sizes they had: the measure of equilibration.

    Q(t) = < share of particles with |dr_i - mean dr| < 0.3 >,    C(t) = < sum_i dD_i(0) dD_i(t) / sum_i dD_i(0)^2 >,

dr_i the displacement of particle i in a time t, dD_i the deviation of its size (or species) from the mean. The decay times are
where they fall to 1/e. The energy forgets a hundred times as fast and tells nothing.

Origins are kept at all scales of time: that of level k is renewed every 2^k measurements, and looked back at after 5/8, 6/8, 7/8
and all of them. So any run measures every decay time up to its own length, with some ten origins. Up to 2000 particles,
the same throughout, suffice: what they do not see of the others is less than the scatter from origin to origin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.moves.swap.statistics import Estimate

Floats = NDArray[np.float64]

NEAR = 0.3          # of an overlap [length]
PARTICLES = 2000
FEWEST = 4          # origins from which an error is estimated
SIZE, OVERLAP = 0, 1


class Decays:
    """Correlations of particles with themselves at earlier measurements.

    Attributes
    ----------
    count : measurements so far
    origins : (levels + 1, n, d + 1) rows (position, size): at the first measurement, and at the origin of each level that was
        renewed
    sums : (levels + 2, 4, 5) number, sum and sum of squares of C, and of Q; per level and age of 5/8, 6/8, 7/8, 1
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {"count": -1, "origins": np.zeros((0, 0, 0)), "sums": np.zeros((1, 4, 5))}
        self.count = int(state["count"])
        self.origins: Floats = np.array(state["origins"], dtype=np.float64)
        self.sums: Floats = np.array(state["sums"], dtype=np.float64)

    @property
    def state(self) -> dict[str, Any]:
        """What `__init__` takes to go on."""
        return {"count": self.count, "origins": self.origins, "sums": self.sums}

    def add(self, rows: Floats) -> None:
        """The next measurement: (n, d + 1) positions, continuous in time, and sizes of the same particles as before."""
        self.count += 1
        if self.count == 0:
            self.origins = rows[None].copy()
            return
        level = 0
        while 5 * 2**level <= 8 * self.count:
            age = (self.count - 1) % 2**level + 1           # since the origin was renewed
            if (8 * age) % 2**level == 0 and (eighths := 8 * age // 2**level) >= 5:
                self._compare(level, eighths - 5, rows)
            if age == 2**level:
                if level + 1 == len(self.origins):
                    self.origins = np.concatenate([self.origins, rows[None]])
                else:
                    self.origins[level + 1] = rows
            level += 1

    def _compare(self, level: int, age: int, rows: Floats) -> None:
        if level >= len(self.sums):
            self.sums = np.concatenate([self.sums, np.zeros((level + 1 - len(self.sums), 4, 5))])
        before = self.origins[level + 1 if level + 1 < len(self.origins) else 0]
        moved = rows[:, :-1] - before[:, :-1]
        moved -= moved.mean(axis=0)
        overlap = float(((moved**2).sum(axis=1) < NEAR**2).mean())
        then, now = before[:, -1] - before[:, -1].mean(), rows[:, -1] - rows[:, -1].mean()
        norm = float(then @ then)
        size = float(then @ now) / norm if norm > 0 else 1.0
        self.sums[level, age] += (1.0, size, size**2, overlap, overlap**2)

    def curve(self) -> Floats:
        """(n, 6) ages in measurements, number of origins, C and its error, Q and its error; errors NaN below four origins."""
        rows = []
        for level, ages in enumerate(self.sums):
            for age, (number, c, c2, q, q2) in enumerate(ages):
                if number:
                    errors = [np.sqrt(max(square / number - (value / number) ** 2, 0.0) / (number - 1)) if number >= FEWEST
                              else np.nan for value, square in ((c, c2), (q, q2))]
                    rows.append([2.0**level * (5 + age) / 8, number, c / number, errors[0], q / number, errors[1]])
        return np.array(rows).reshape(-1, 6)

    def time(self, what: int) -> Estimate:
        """Decay time of C (SIZE) or Q (OVERLAP) to 1/e, in measurements; infinite when the run was too short to see it."""
        curve = self.curve()
        age = np.concatenate([[0.0], curve[:, 0]])
        value, error = np.concatenate([[1.0], curve[:, 2 + 2 * what]]), np.concatenate([[0.0], curve[:, 3 + 2 * what]])
        below = np.flatnonzero(value < np.exp(-1))
        if not below.size:
            return Estimate(np.inf, np.nan)
        k = int(below[0])
        slope = (value[k] - value[k - 1]) / (age[k] - age[k - 1])
        return Estimate(float(age[k - 1] + (np.exp(-1) - value[k - 1]) / slope), float(error[k] / -slope))
