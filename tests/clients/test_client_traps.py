"""What docs/clients.md warns of is what the clients do."""

from __future__ import annotations

import numpy as np
import pytest

from hpcglass.io.convert import read_any


def test_letters_are_taken_for_elements(found):
    """Why species are numbers in our files."""
    ovito, mdanalysis = found["OVITO"]["letters"], found["MDAnalysis"]["letters"]
    assert (str(ovito["name"]), float(ovito["mass"])) == ("B", pytest.approx(10.811))
    assert ovito["radius"] > 0
    np.testing.assert_allclose(mdanalysis["mass"], [10.81, 32.06], atol=0.02)
    assert str(found["ASE"]["letters"]["error"]) == "KeyError: 'A'"


def test_species_bring_no_element_in(found):
    result = found["ASE"]["elements"]
    assert str(result["symbols"]) == "X"
    np.testing.assert_array_equal(result["mass"], 1.0)


def test_ovito_takes_a_flat_file_for_a_slab(found):
    """Strains need a cell that is said to be 2D."""
    assert found["OVITO"]["strain-False"]["invalid"] == 120
    assert found["OVITO"]["strain-True"]["invalid"] == 0


@pytest.mark.parametrize(("client", "job", "error"), [
    ("OVITO", "stage", "RuntimeError"), ("ASE", "stage", "UnknownFileTypeError"), ("ASE", "sphere", '"sphere" not supported'),
    ("lammpsio", "sphere", "Unknown atom style"), ("MDAnalysis", "flat", "only supports 3-dimensional"),
    ("freud", "z", "z != 0"), ("freud", "narrow", "r_max"),
])
def test_what_is_not_read_ends_with_an_error(found, client, job, error):
    assert error in str(found[client][job].get("error", "none"))


def test_cells_of_extxyz_have_edges_in_columns(found, glasses):
    np.testing.assert_array_equal(found["extxyz"]["cell"]["cell"][:2, :2], glasses["2d-binary-xy"].box)


def test_mdanalysis_takes_diameters_for_types(found, glasses):
    result, c = found["MDAnalysis"]["sphere"], glasses["3d"]
    np.testing.assert_allclose(result["kind"], c.diameter, rtol=1e-12)
    np.testing.assert_allclose(result["charge"] * np.pi * c.diameter**3 / 6, 1, rtol=1e-5)


def test_mdanalysis_reads_no_cell_from_xyz(found, glasses):
    result = found["MDAnalysis"]["xyz"]
    assert result["no_cell"]
    np.testing.assert_allclose(result["position"], glasses["3d"].position, atol=1e-5)


def test_mdanalysis_takes_tilts_for_cosines(found):
    np.testing.assert_allclose(found["MDAnalysis"]["gsd-2d"]["cell"][2:], [0, 90, 90, 90])
    a, b, _, alpha, beta, gamma = found["MDAnalysis"]["gsd-2d-binary-xy"]["cell"]
    assert b == pytest.approx(a, rel=1e-6)              # the height of the second edge, not its length
    assert (beta, gamma) == (90, 90)                    # alpha is between the second and the third edge: xy is not in it
    assert np.cos(np.radians(alpha)) == pytest.approx(-0.3, abs=1e-6)      # and for gamma right were -0.3 / hypot(1, 0.3)


def test_xyz_readers_of_vtk_know_four_columns(found, glasses):
    result = found["VTK"]["five-columns"]
    assert result["points"] == 0
    assert result["error"] == 0 and len(result["position"]) > 1
    assert np.abs(result["position"][1] - glasses["3d"].position[1]).max() > 0.1


@pytest.mark.parametrize(("client", "digits"), [("OVITO", 1e-7), ("ASE", 1e-8), ("extxyz", 1e-8)])
def test_what_a_client_writes_again_comes_back(found, exports, glasses, client, digits):
    """Fewer digits, the same glass: ASE has X for every species then, and OVITO's columns other names."""
    assert "error" not in found[client]["back"], str(found[client]["back"]["error"])
    back, c = read_any(exports / client / "back.xyz"), glasses["2d-binary-xy"]
    np.testing.assert_array_equal(back.species, c.species)
    np.testing.assert_allclose(back.position, c.position, atol=10 * digits)
    np.testing.assert_allclose(back.box, c.box, rtol=1e-5)
    np.testing.assert_allclose(back.diameter, c.diameter, atol=2e-7)


def test_ovito_writes_wrong_tilted_cells_into_gsd_files(found, glasses):
    """Lengths of edges where heights belong."""
    box = glasses["2d-binary-xy"].box
    assert found["OVITO"]["back"]["box"][1] == pytest.approx(np.hypot(*box[:, 1]), rel=1e-5)
    assert np.hypot(*box[:, 1]) > 1.2 * box[1, 1]
