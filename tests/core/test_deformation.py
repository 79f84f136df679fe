"""The map of the cell under a strain is the exponential of the velocity gradient, whichever gradient it is."""

from __future__ import annotations

import numpy as np
import pytest

from hpcglass.geometries.periodic import deformation, pure_shear, simple_shear

GRADIENTS = {
    "dilation and shear": [[0.3, 0.7], [0.0, 0.3]],
    "nilpotent, of squares that do not vanish exactly": [[0.21, -0.09], [0.49, -0.21]],
    "nearly defective": [[1.0, 1.0], [1e-18, 1.0]],
    "rotation": [[0.0, -1.0], [1.0, 0.0]],
    "symmetric": [[0.0, 0.5], [0.5, 0.0]],
    "3D nilpotent of third order": [[0.0, 1.0, 0.5], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]],
    "3D nilpotent and dilation": [[0.2, 1.0, 0.5], [0.0, 0.2, 2.0], [0.0, 0.0, 0.2]],
    "3D one block of two": [[0.5, 1.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, -1.0]],
    "3D turned shear": [[0.6, -0.4, 0.3], [1.2, -0.8, 0.6], [0.4, -0.3, 0.2]]}


def series(step):
    """sum_n step^n / n!, with the step halved until it is small and the result squared as often."""
    total, power = np.eye(len(step)), np.eye(len(step))
    for n in range(1, 25):
        power = power @ (step / 1024) / n
        total = total + power
    for _ in range(10):
        total = total @ total
    return total


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("strain", [1e-4, -0.02, 0.7])
def test_exponential_of_any_gradient(name, strain):
    gradient = np.array(GRADIENTS[name])
    whole = deformation(gradient, strain)
    assert whole == pytest.approx(series(strain * gradient), abs=1e-12, rel=1e-12)
    parts = deformation(gradient, 0.3 * strain) @ deformation(gradient, 0.7 * strain)
    assert parts == pytest.approx(whole, abs=1e-14, rel=1e-14)
    assert deformation(gradient, -strain) @ whole == pytest.approx(np.eye(len(gradient)), abs=1e-14)
    assert np.linalg.det(whole) == pytest.approx(np.exp(strain * np.trace(gradient)), rel=1e-13)


def test_known_by_heart():
    """The Jordan block, and a nilpotent gradient of third order, whose series ends."""
    block = deformation(np.array([[0.3, 0.7], [0.0, 0.3]]), 1e-4)
    assert block == pytest.approx(np.exp(3e-5) * np.array([[1.0, 7e-5], [0.0, 1.0]]), rel=1e-15)
    gradient = np.array(GRADIENTS["3D nilpotent of third order"])
    assert deformation(gradient, 0.4) == pytest.approx(np.eye(3) + 0.4 * gradient + 0.08 * gradient @ gradient, abs=1e-15)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("strain", [1e-5, -0.02, 0.3])
def test_usual_gradients_are_exact(dimension, strain):
    """Runs depend on the bits of these."""
    shear = simple_shear(dimension, "yx")
    assert (deformation(shear, strain) == np.eye(dimension) + strain * shear).all()
    stretch = np.exp(strain * np.diag(pure_shear(dimension, "xy")))
    assert (deformation(pure_shear(dimension, "xy"), strain) == np.diag(stretch)).all()
    assert (deformation(np.eye(dimension), strain) == np.exp(strain) * np.eye(dimension)).all()
