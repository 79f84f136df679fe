"""Events that dissipate less than the energy balance of a step can tell: they are events nevertheless."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from glasses import glass
from mpi4py import MPI
from recorder import Recorder

from hpcglass.moves.quasistatic.branch import Branch
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.run import Shear


@cache
def events(step, locate, largest=0.025, name="ipl12-2d"):
    recorder = Recorder()
    Shear(ShearParams(strain_step=step, max_strain=largest, method="branch", locate=locate, event_frames=False)).run(
        glass(MPI.COMM_SELF, name), recorder)
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


def test_a_step_that_the_corrector_refuses_is_no_event(monkeypatch):
    """Though its energies seem not to balance: all steps are refused here, and the one with an instability is an event."""
    monkeypatch.setattr(Branch, "advance", lambda self, step: None)
    monkeypatch.setattr(Branch, "_balanced", lambda self, there: False)
    found, falls = events.__wrapped__(1e-3, False, largest=0.016)
    assert falls == 16 and [row["step"] for row in found] == [15]


def test_the_end_of_a_branch_need_not_be_a_fold():
    """Where contacts open: no fold is found, and 5.2e-4 is lost however short the steps are."""
    for step, number in ((1e-3, 3), (2e-4, 12)):
        found, _ = events(step, True, largest=0.003, name="harmonic-3d")
        assert [row["step"] for row in found] == [number] and np.isnan(found[0]["gamma_c"])
        assert found[0]["energy_drop"] == pytest.approx(5.22e-4, rel=0.01)
