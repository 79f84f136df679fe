"""How numbers and texts are shown."""

from __future__ import annotations

import pytest

from hpcglass.words import PLUS_MINUS, measured


@pytest.mark.parametrize(("value", "error", "shown"), [
    (0.086091, 0.00213, "0.086 ± 0.002"), (12345.6, 310.0, "12300 ± 300"), (-0.4, 0.0971, "-0.4 ± 0.1"), (2.71, 0.96, "3 ± 1"),
    (1.5, 0.0, "1.5 ± 0"), (1.5, float("nan"), "1.5"), (float("nan"), 0.1, "nan ± 0.1"),
    (1.234567e-9, 2e-11, "1.2346e-09 ± 2e-11")])
def test_a_number_has_the_digits_that_its_error_leaves(value, error, shown):
    assert measured(value, error) == shown
    assert measured(value, error, PLUS_MINUS) == shown.replace(" ± ", r" \pm ")
