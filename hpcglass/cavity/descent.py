"""A plain descent of the free particles of a patch, by FIRE, where no branch leads on: after an event, and as a yardstick.

(E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006).)
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.cavity.lists import SKIN, moved
from hpcglass.cavity.newton import FARTHEST
from hpcglass.cavity.patch import evaluate
from hpcglass.cavity.skyline import FAST

FORCE = 1e-7            # largest force left: less than what holds a glass together a little beyond the end of a branch
TIME_STEP, LONGEST, ALPHA, GROWS, SHRINKS, FADES, DELAY = 0.005, 0.05, 0.1, 1.1, 0.5, 0.99, 5
LONGEST_MOVE = 0.05     # of a particle in a step [length]
STEPS = 200_000


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def descend(axes, table, patch, y, forward, back, rate, pairs, memory, force_left=FORCE):
    """FIRE on the x of the free particles, masses 1, until the largest force is below `force_left`; y in place.

    Whether it came there; if not, the list of pairs was used up: make a new one, and call it again.
    """
    n_free, d = patch.n_free, len(axes)
    velocity, begin = np.zeros((n_free, d)), y.copy()
    step, alpha, downhill = TIME_STEP, ALPHA, 0
    for _ in range(STEPS):
        largest, _, _ = evaluate(axes, table, n_free, y, patch.stiffness, patch.tied.size, forward, rate, pairs, False, memory)
        if largest < force_left * force_left:
            return True
        force = memory.force
        power = speed2 = force2 = 0.0
        for i in range(n_free):
            for a in range(d):
                power += force[i, a] * velocity[i, a]
                speed2 += velocity[i, a] ** 2
                force2 += force[i, a] ** 2
        if power > 0.0:
            mix = alpha * np.sqrt(speed2 / force2)
            for i in range(n_free):
                for a in range(d):
                    velocity[i, a] = (1.0 - alpha) * velocity[i, a] + mix * force[i, a]
            downhill += 1
            if downhill > DELAY:
                step, alpha = min(step * GROWS, LONGEST), alpha * FADES
        else:
            velocity[:] = 0.0
            step, alpha, downhill = step * SHRINKS, ALPHA, 0
        fastest = 0.0
        for i in range(n_free):
            square = 0.0
            for a in range(d):
                velocity[i, a] += step * force[i, a]
                square += velocity[i, a] ** 2
            fastest = max(fastest, square)
        length = min(step, LONGEST_MOVE / np.sqrt(fastest)) if fastest > 0.0 else step
        for i in range(n_free):
            for a in range(d):
                value = 0.0
                for b in range(d):
                    value += back[a, b] * velocity[i, b]
                y[i, a] += length * value
        if moved(axes, n_free, y, begin, forward) > SKIN - 4.0 * FARTHEST:
            return False
    return False
