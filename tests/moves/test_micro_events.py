"""Events that dissipate less than the energy balance of a step can tell: they are events nevertheless."""

from __future__ import annotations

import pytest
from glasses import glass
from mpi4py import MPI
from recorder import Recorder

from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.run import Shear


def events(step, locate):
    recorder = Recorder()
    Shear(ShearParams(strain_step=step, max_strain=0.025, method="branch", locate=locate, event_frames=False)).run(
        glass(MPI.COMM_SELF, "ipl12-2d"), recorder)
    return recorder.tables["events"], recorder.results["count_falls"]


def test_a_minimum_far_from_the_foretold_one_is_none_of_the_branch():
    """In a step of 2e-3 the correction finds its way past the first instability, and the energy seems to balance."""
    fine, coarse = (events(step, True)[0] for step in (1e-4, 2e-3))
    assert [row["step"] for row in coarse] == [8, 9, 12]
    assert [row["gamma_c"] for row in coarse] == pytest.approx([row["gamma_c"] for row in fine], abs=1e-11)


@pytest.mark.parametrize("locate", [True, False])
def test_a_small_event_in_a_large_step(locate):
    """Its energy, 7e-4, is less than the curvature of the stress over a step of 1e-3 may explain; a false fall is none."""
    fine, _ = events(1e-4, locate)
    coarse, falls = events(1e-3, locate)
    assert [row["step"] for row in coarse] == [15, 18, 24] and falls > len(coarse)
    assert coarse[0]["energy_drop"] < 1e-3
    assert [row["step"] for row in fine] == [150, 172, 240]
    if locate:
        assert [row["trigger_id"] for row in fine] == [row["trigger_id"] for row in coarse]
        assert [row["gamma_c"] for row in coarse] == pytest.approx([row["gamma_c"] for row in fine], abs=1e-11)
