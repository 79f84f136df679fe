"""Bands of known place and width, and activity without a band."""

import numpy as np
import pytest

from hpcglass.numbers.bands import Band, band, centre, centred, covered, slabs

X = (np.arange(200) + 0.5) / 200


def distance(at):
    """From the centres of slabs to a point, periodic."""
    return (X - at + 0.5) % 1.0 - 0.5


def gaussian(at, s):
    return np.exp(-0.5 * (distance(at) / s) ** 2)


@pytest.mark.parametrize("at", [0.5, 0.0, 0.013, 0.991])
def test_width_and_position_of_a_gaussian(at):
    """Also across the boundary; the width is 2 sqrt(pi) s."""
    found = band([np.ones(50), gaussian(at, 0.03)], [70.0, 40.0])
    assert (found.orientation, found.across) == (2, 2)
    assert found.width == pytest.approx(40 * 2 * np.pi**0.5 * 0.03, rel=1e-9)
    assert found.localisation == pytest.approx(40 / found.width)
    assert (found.position / 40 - at + 0.5) % 1.0 - 0.5 == pytest.approx(0.0, abs=1e-5)


def test_a_box_covers_its_share():
    for count in (1, 2, 30, 200):
        assert covered(np.arange(200) < count) == pytest.approx(count / 200)
    box = np.roll(np.arange(200) < 30, 190)          # across the boundary, from slab 190 to 20
    assert centre(box, covered(box)) == pytest.approx(5 / 200, abs=1e-6)


def test_what_is_outside_makes_it_wider():
    """A box of share b on a background c: (b + c)^2 / (b + 2 b c + c^2), by hand."""
    b, c = 0.1, 0.05
    assert covered((np.arange(200) < 20) + c) == pytest.approx((b + c) ** 2 / (b + 2 * b * c + c * c))


def test_the_position_is_in_a_band_also_of_two():
    """The centre of mass of these two is nowhere; the larger one is found."""
    two = gaussian(0.25, 0.02) + 1.05 * gaussian(0.75, 0.02)
    assert centre(two, covered(two)) == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize("count", [6, 7])
def test_the_position_is_the_maximum_of_the_smoothed_profile(count):
    """Against the Fourier series summed term by term, with the highest term of an even number shared between k and -k."""
    p = np.random.default_rng(count).random(count)
    x = np.linspace(0, 1, 20_000, endpoint=False)
    smooth = np.full(x.size, p.sum())
    for k in range(1, count // 2 + 1):
        wave = np.cos(2 * np.pi * k * (x[:, None] - (np.arange(count) + 0.5) / count)) @ p
        smooth += (1 if 2 * k == count else 2) * np.exp(-0.5 * (2 * np.pi * k * 0.05) ** 2) * wave
    assert centre(p, 0.1) == pytest.approx(x[smooth.argmax()], abs=5e-4)


@pytest.mark.parametrize("count", [20, 21])
def test_moved_by_slabs_everything_moves_along(count):
    rng = np.random.default_rng(1)
    profile = rng.random(count) ** 4 + 3 * np.exp(-0.5 * ((np.arange(count) - 7) / 1.3) ** 2)
    first = band([np.ones(10), profile], [1.0, count])
    for shift in range(count):
        moved = band([np.ones(10), np.roll(profile, shift)], [1.0, count])
        assert (moved.width, moved.orientation) == (pytest.approx(first.width), first.orientation)
        assert (moved.position - first.position - shift + 0.5 * count) % count == pytest.approx(0.5 * count, abs=1e-9)
    assert centre(np.roll(profile[::-1], 1), 0.1) * count == pytest.approx((1 - centre(profile, 0.1)) * count + 1, abs=1e-9)


@pytest.mark.parametrize("length", [20, 40])
def test_a_band_in_a_lattice_is_found(length):
    """Rows 3 to 5 of 60 % active sites, in either orientation, on a background."""
    rng = np.random.default_rng(length)
    field = rng.poisson(0.02, (length, length))
    field[3:6] += rng.random((3, length)) < 0.6
    for grid, orientation in ((field, 1), (field.T, 2)):
        found = band([grid.mean(axis=1), grid.mean(axis=0)], [length, length])
        assert found.orientation == orientation
        assert abs(found.position - 4.5) < 0.5 and 2.5 < found.width < 5.0


def test_no_activity_is_no_band():
    found = band([np.zeros(5), np.zeros(7)], [5, 7])
    assert found.orientation == 0 and np.isnan([found.position, found.width, found.localisation]).all()
    x, p = centred(np.zeros(5), found.position, 5.0)
    assert len(x) == 5 and not p.any()


def test_neither_a_single_event_nor_uniform_flow_is_a_band():
    spot = np.zeros((20, 20))
    spot[4:7, 9:12] = 1
    assert band([spot.mean(axis=1), spot.mean(axis=0)], [20, 20]).orientation == 0
    spot[4:7, 1:4] = 1          # two in a line: narrow, but no line yet
    assert band([spot.mean(axis=1), spot.mean(axis=0)], [20, 20]).orientation == 0
    assert band([np.ones(20), np.ones(20)], [20, 20]) == Band(0, 1, pytest.approx(0.5), 20.0, 1.0)


def test_random_events_are_hardly_ever_a_band():
    """Events of 3 x 3 sites anywhere on 20 x 20, any number of them: less than 1 % is taken for a band (measured 0.3 %)."""
    rng = np.random.default_rng(0)
    wrong = 0
    for trial in range(2000):
        field = np.zeros((20, 20))
        for x, y in rng.integers(0, 20, (1 + trial % 40, 2)):
            field[np.ix_((x + np.arange(3)) % 20, (y + np.arange(3)) % 20)] += 1
        wrong += band([field.mean(axis=1), field.mean(axis=0)], [20, 20]).orientation > 0
    assert wrong < 20


def test_noise_makes_it_smaller_as_it_says():
    """Poisson noise of E events over n slabs: 1 / (1 + (n - 1)/E) within 5 standard errors and the next order; alarm 1e-6."""
    rng = np.random.default_rng(3)
    shares = np.array([covered(rng.multinomial(400, np.full(40, 1 / 40))) for _ in range(400)])
    error = shares.std() / 20
    assert abs(shares.mean() - 1 / (1 + 39 / 400)) < 5 * error + 2e-3


def test_slabs_count_and_sum():
    number, weight = slabs([0.1, 1.1, -0.9, 0.99, -1e-17], [1, 2, 4, 8, 16], 4)
    assert number.tolist() == [3, 0, 0, 2] and weight.tolist() == [7, 0, 0, 24]
    parts = slabs([0.1, 1.1], [1, 2], 4) + slabs([-0.9, 0.99, -1e-17], [4, 8, 16], 4)
    assert (parts == [number, weight]).all()


def test_a_centred_profile_has_the_band_in_the_middle():
    for count in (6, 7):
        for k in range(count):
            x, p = centred(np.eye(count)[k], (k + 0.4) * 2.0, 2.0 * count)
            assert x[p.argmax()] == 0.0 and p.sum() == 1.0
            assert np.diff(x) == pytest.approx(2.0) and x[0] == -2.0 * (count // 2)
