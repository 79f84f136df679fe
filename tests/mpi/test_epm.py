"""The elasto-plastic lattice on several ranks is the one of a single rank, to the bit."""

import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.core import comm as ranks
from hpcglass.epm import Lattice, Model, Slip, named
from hpcglass.epm.dynamics import ROOM
from hpcglass.epm.kernel import Convolution
from hpcglass.errors import InputError

WORLD = MPI.COMM_WORLD
SOFT = named("normal", mean=2.0, cv=0.3, lower=0.0)
VARIANTS = {
    "001": dict(size=11, modulus=24.0, renewed_modulus=20.0, slip=Slip.fixed(0.065), renewal=SOFT,
                thresholds=named("normal", mean=3.0, cv=0.2, lower=0.0)),
    "004": dict(size=16, modulus=19.0, bulk_modulus=55.0, thresholds=named("gamma", mean=1.2, cv=0.4),
                slip=Slip.exponential(0.0235, 0.0163), internal_stress=0.175),
    "cycles": dict(size=21, modulus=20.0, thresholds=SOFT, slip=Slip.fixed(0.065), backward=SOFT, wave_vectors="lattice"),
    "weakest": dict(size=9, modulus=20.0, thresholds=SOFT, slip=Slip.fixed(0.065), order="weakest", shear="pure"),
}


def identical(one, two):
    """Both lattices, one over all ranks, one on each: all numbers and fields."""
    assert one.state()[0] == two.state()[0]
    for name, row in one.state()[1].items():
        np.testing.assert_array_equal(ranks.gathered(WORLD, row), two.state()[1][name], err_msg=name)
    assert one.observables() == two.observables()
    np.testing.assert_array_equal(one.gather(one.strain_field()), two.strain_field())


@pytest.mark.parametrize("recompute", [None, 20])
@pytest.mark.parametrize("name", VARIANTS)
def test_ranks_do_not_matter(name, recompute):
    model = Model(seed=5, **VARIANTS[name])
    together, alone = Lattice(WORLD, model, recompute), Lattice(MPI.COMM_SELF, model, recompute)
    identical(together, alone)
    for strain in (0.25, -0.1, 0.3) if model.backward else (0.25, 0.3):
        for one, two in zip(together.load(strain), alone.load(strain), strict=True):
            np.testing.assert_array_equal(one, two)
        identical(together, alone)
    assert together.avalanches > 20 and together.steps > together.avalanches


def test_steps_with_more_slips_than_a_message_holds():
    """Blocks that are all alike slip hundreds at a time."""
    model = Model(size=64, modulus=20.0, thresholds=named("normal", mean=1.0, cv=1e-3), slip=Slip.fixed(0.05), seed=4,
                  renewal=named("normal", mean=1.5, cv=0.3, lower=0.1))
    together, alone = Lattice(WORLD, model), Lattice(MPI.COMM_SELF, model)
    ours, theirs = together.load(0.1), alone.load(0.1)
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, two)
    identical(together, alone)
    assert np.max(ours.slips / ours.steps) > ROOM * WORLD.size


def test_a_state_moves_to_other_ranks():
    model = Model(seed=2, **VARIANTS["004"])
    lattice, alone = Lattice(WORLD, model), Lattice(MPI.COMM_SELF, model)
    lattice.load(0.3, at_most=11)
    scalars, rows = lattice.state()
    ids, *moved = ranks.send_rows(WORLD, lattice.sites % WORLD.size, lattice.sites, *rows.values())     # not in rows any more
    again = Lattice.from_state(WORLD, model, scalars, ids, dict(zip(rows, moved, strict=True)))
    again.load(0.3)
    alone.load(0.3)
    identical(again, alone)


@pytest.mark.parametrize("size", [4, 7, 30])
def test_convolution_to_the_bit(size):
    slip = np.random.default_rng(0).normal(size=(size, size))
    first, last = ranks.block(size, WORLD.size, WORLD.rank)
    for shear in ("simple", "pure"):
        together, alone = Convolution(WORLD, size, shear, "continuum"), Convolution(MPI.COMM_SELF, size, shear, "continuum")
        np.testing.assert_array_equal(ranks.gathered(WORLD, together(slip[first:last])), alone(slip))
        assert together.spread() == alone.spread()


def test_more_ranks_than_rows():
    model = Model(size=2, modulus=1.0, thresholds=SOFT, slip=Slip.fixed(0.1))
    if WORLD.size > 2:
        with pytest.raises(InputError, match="2 rows"):
            Lattice(WORLD, model)
    else:
        Lattice(WORLD, model).load(1.0)


def test_memory_per_site():
    """Fields of a lattice of 512 × 512 on its ranks: below 64 bytes per owned site, and 16 L² for the kernel and its bounds."""
    model = Model(size=512, modulus=20.0, thresholds=SOFT, slip=Slip.fixed(0.065), internal_stress=0.1)
    lattice = Lattice(WORLD, model)
    fields = sum(column.nbytes for column in lattice._sites if isinstance(column, np.ndarray)) + lattice._eigenstrain.nbytes
    assert fields < 64 * lattice.rows * 512
    assert sum(column.nbytes for column in lattice._rules if isinstance(column, np.ndarray)) < 16 * 512**2
