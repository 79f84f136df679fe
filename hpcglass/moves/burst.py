"""Many evaluations of a minimisation in one compiled loop, where one rank has all particles.

Around each force evaluation a minimiser does little, but in Python that little takes as long as the forces of a few thousand
particles. Here it is compiled with them: is the list still good, refresh the ghosts, forces, is this the end, advance. Whatever
is not plain (a list to be rebuilt, the end, forces that are not finite) is left to the caller, who finds the system as if the
evaluations had been made one by one: the same, to the bit.
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.core.comm import broadcast
from hpcglass.core.vectors import add_scaled, assign, dots, farthest, largest_square
from hpcglass.landscape.forces import add_forces, pair_lists
from hpcglass.moves.methods import (
    ALONG,
    BEGUN,
    GO_ON,
    INTERPOLATE,
    LONGEST_STEP,
    STEP,
    ConjugateGradient,
    Fire,
    Method,
    accelerate,
    begin,
    bound,
    conjugacy,
    interpolate,
    judge,
    length,
    limited,
    search,
    stride,
    turn,
)

ROUND = 1.0 + 1e-9      # sums of squares are right to less than that


def burst(method: Method, tolerance: float, most: int) -> tuple[int, float]:
    """Up to `most` evaluations and moves, each as `Method.advance` would make it.

    Returns how many were made: fewer than `most` when the next one is not plain; and, if all, max|F| at the last of them
    [energy/length]. None on several ranks, between walls, or by a method that has no loop.
    """
    system = method.system
    if system.working > 1 or system.walls is not None or not most or method.name not in LOOPS:
        return 0, 0.0
    comm, loop = system.comm, LOOPS[method.name]
    if comm.rank == 0:
        done, largest = loop(method.numbers, method.rows, system.scratch("forces"), system.n_owned, system.halo.owners,
                         system.ghost_shift, system.strain_since_build, system.slack, *pair_lists(system), tolerance, most)
    if comm.size > 1:       # the others have no particles, and wait
        told = broadcast(comm, np.array([*method.numbers, done, largest]) if comm.rank == 0 else None)
        method.numbers[:], (done, largest) = told[:-2], told[-2:]
    return int(done), float(largest)


@numba.njit(cache=True, error_model="numpy")
def _forces(force, n, owners, shift, reference, displacement, start, owner, index, inverse_length2, scale, table):
    """Forces here, from a list that holds."""
    for k in range(owners.size):
        i = np.uint64(owners[k])
        for c in range(displacement.shape[1]):
            displacement[n + k, c] = displacement[i, c] + shift[k, c]
    force[:] = 0.0
    add_forces(reference, displacement, start, owner, index, inverse_length2, scale, table, force)


@numba.njit(cache=True, error_model="numpy")
def near_end(force2, n, tolerance):
    """Whether n forces with sum of squares |F|^2 may all be within the tolerance, or are not finite."""
    return not n * tolerance * tolerance * ROUND < force2 < np.inf


@numba.njit(cache=True, error_model="numpy")
def _over(own, force2, tolerance):
    """Whether this is the end, or not plain. The largest force is looked for near the end only."""
    return near_end(force2, own.shape[0], tolerance) and not tolerance < np.sqrt(largest_square(own)) < np.inf


@numba.njit(cache=True, error_model="numpy")
def _fire(numbers, rows, force, n, owners, shift, strain, slack, reference, displacement, start, owner, index, inverse_length2,
          scale, table, tolerance, most):
    """`Fire.advance` over and over."""
    velocity, own = rows[0], force[:n]
    far = np.inf        # an upper bound of how far anybody has moved since the list was made
    for done in range(most):
        if not far < slack:
            far = np.sqrt(farthest(displacement, reference, n, strain))
            if not far < slack:
                return done, 0.0
        _forces(force, n, owners, shift, reference, displacement, start, owner, index, inverse_length2, scale, table)
        force2, power, velocity2 = dots(own, velocity)
        if _over(own, force2, tolerance):
            return done, 0.0
        back, blend = judge(numbers, force2, power, velocity2)
        if back:
            add_scaled(displacement, -back, velocity)
            velocity[:] = 0.0
            far += back * np.sqrt(velocity2)
            velocity2 = 0.0
        accelerate(own, velocity, numbers, blend)
        fastest = bound(numbers, blend, force2, velocity2)
        if numbers[STEP] * fastest > LONGEST_STEP:
            fastest = np.sqrt(largest_square(velocity))
        step = length(numbers, fastest)
        add_scaled(displacement, step, velocity)
        far += step * fastest
    return most, np.sqrt(largest_square(own))


@numba.njit(cache=True, error_model="numpy")
def _conjugate_gradient(numbers, rows, force, n, owners, shift, strain, slack, reference, displacement, start, owner, index,
                        inverse_length2, scale, table, tolerance, most):
    """`ConjugateGradient.advance` over and over."""
    direction, line, own = rows[0], rows[1], force[:n]
    far, largest = np.inf, 0.0
    for done in range(most):
        if not far < slack:
            far = np.sqrt(farthest(displacement, reference, n, strain))
            if not far < slack:
                return done, 0.0
        _forces(force, n, owners, shift, reference, displacement, start, owner, index, inverse_length2, scale, table)
        force2, slope, longest2 = dots(own, direction)
        if _over(own, force2, tolerance):
            return done, 0.0
        if done == most - 1:
            largest = np.sqrt(largest_square(own))      # before they are interpolated
        then, step = search(numbers, slope if numbers[BEGUN] else 0.0)
        if then != GO_ON:
            ratio = step if then == INTERPOLATE else 1.0
            force2, force_last = interpolate(line, own, ratio)
            beta, back = conjugacy(numbers, force2, force_last), stride(numbers, ratio)
            far += abs(back) * np.sqrt(longest2)
            slope, longest2 = turn(displacement, back, direction, beta, own, own, line)
            if slope <= 0:
                assign(direction, own)
                longest2 = force2
            step = begin(numbers, force2, slope)
        if abs(step) * np.sqrt(longest2) > LONGEST_STEP:
            longest2 = largest_square(direction)
            step = limited(step, longest2)
        numbers[ALONG] += step
        add_scaled(displacement, step, direction)
        far += abs(step) * np.sqrt(longest2)
    return most, largest


LOOPS = {Fire.name: _fire, ConjugateGradient.name: _conjugate_gradient}
