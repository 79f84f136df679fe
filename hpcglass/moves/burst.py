"""Many evaluations of a minimisation in one compiled loop, where one rank has all particles.

Around each force evaluation a minimiser does little, but in Python that little takes as long as the forces of a few thousand
particles. Here it is compiled with them: is the list still good, refresh the ghosts, forces, is this the end, advance. Whatever
is not plain (a list to be rebuilt, the end, forces that are not finite) is left to the caller, who finds the system as if the
evaluations had been made one by one: the same, to the bit.
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.core.vectors import add_scaled, assign, dots, farthest, largest_square
from hpcglass.landscape.forces import add_forces, pair_lists
from hpcglass.moves.methods import (
    ALONG,
    BEGUN,
    GO_ON,
    INTERPOLATE,
    ConjugateGradient,
    Fire,
    Method,
    accelerate,
    begin,
    conjugacy,
    interpolate,
    judge,
    length,
    limited,
    search,
    turn,
)


def burst(method: Method, tolerance: float, most: int) -> tuple[int, float]:
    """Up to `most` evaluations and moves, each as `Method.advance` would make it.

    Returns how many were made, and max|F| at the last of them [energy/length]. Fewer than `most` when the next one is not plain;
    none on several ranks or between walls.
    """
    system = method.system
    if system.halo.owners is None or system.walls is not None or not most:
        return 0, 0.0
    loop = LOOPS[method.name]
    done, largest = loop(method.numbers, method.rows, system.scratch("forces"), system.n_owned, system.halo.owners,
                         system.ghost_shift, system.strain_since_build, system.slack, *pair_lists(system), tolerance, most)
    return int(done), float(largest)


@numba.njit(cache=True, error_model="numpy")
def _forces(force, n, owners, shift, strain, slack, reference, displacement, start, index, inverse_length2, scale, table):
    """Forces here, and the largest of them; infinite if the list has to be rebuilt first."""
    if not np.sqrt(farthest(displacement, reference, n, strain)) < slack:
        return np.inf
    for k in range(owners.size):
        for c in range(displacement.shape[1]):
            displacement[n + k, c] = displacement[owners[k], c] + shift[k, c]
    force[:] = 0.0
    add_forces(reference, displacement, start, index, inverse_length2, scale, table, force)
    return np.sqrt(largest_square(force[:n]))


@numba.njit(cache=True, error_model="numpy")
def _fire(numbers, rows, force, n, owners, shift, strain, slack, reference, displacement, start, index, inverse_length2, scale,
          table, tolerance, most):
    """`Fire.advance` over and over."""
    velocity, own = rows[0], force[:n]
    last = 0.0
    for done in range(most):
        largest = _forces(force, n, owners, shift, strain, slack, reference, displacement, start, index, inverse_length2, scale,
                          table)
        if not tolerance < largest < np.inf:
            return done, last
        last = largest
        force2, power, velocity2 = dots(own, velocity)
        back, blend = judge(numbers, force2, power, velocity2)
        if back:
            add_scaled(displacement, -back, velocity)
            velocity[:] = 0.0
        add_scaled(displacement, length(numbers, accelerate(own, velocity, numbers, blend)), velocity)
    return most, last


@numba.njit(cache=True, error_model="numpy")
def _conjugate_gradient(numbers, rows, force, n, owners, shift, strain, slack, reference, displacement, start, index,
                        inverse_length2, scale, table, tolerance, most):
    """`ConjugateGradient.advance` over and over."""
    direction, line, own = rows[0], rows[1], force[:n]
    last = 0.0
    for done in range(most):
        largest = _forces(force, n, owners, shift, strain, slack, reference, displacement, start, index, inverse_length2, scale,
                          table)
        if not tolerance < largest < np.inf:
            return done, last
        last = largest
        slope = dots(direction, own)[1] if numbers[BEGUN] else 0.0
        then, step = search(numbers, slope)
        if then != GO_ON:
            if then == INTERPOLATE:
                add_scaled(displacement, (step - 1.0) * numbers[ALONG], direction)
                numbers[ALONG] *= step
                interpolate(line, own, step)
            force2, force_last, _ = dots(own, line)
            turn(direction, conjugacy(numbers, force2, force_last), own)
            slope = dots(direction, own)[1]
            if slope <= 0:
                assign(direction, own)
            assign(line, own)
            step = begin(numbers, force2, slope)
        step = limited(step, largest_square(direction))
        numbers[ALONG] += step
        add_scaled(displacement, step, direction)
    return most, last


LOOPS = {Fire.name: _fire, ConjugateGradient.name: _conjugate_gradient}
