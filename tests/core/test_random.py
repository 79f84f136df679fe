"""Philox against the published vectors, and the properties the package relies on."""

from __future__ import annotations

import numpy as np
import pytest

from hpcglass.core import random
from hpcglass.core.random import Stream

ONES = 0xFFFFFFFF
# counter, key, result: the known-answer tests of the Random123 distribution for philox4x32, 10 rounds
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer):
    seed = np.uint64(key[0] | key[1] << 32)
    out = np.empty((4, 3), dtype=np.uint32)
    c0, c1, c2, c3 = (np.uint64(c) for c in counter)
    random.fill_draws(seed, c3, c2, c1, c0, out)
    assert tuple(out[:, 0].tolist()) == answer


def test_counter_layout():
    """words() = philox(counter = (draw, id, step, stream and high bits of step), key = seed)."""
    seed, step = 0x299F31D0A4093822, (0x344 << 32) | 0x13198A2E
    got = random.words(seed, 0x37, step, [5, 7], draws=3)
    tag, low = random.counter(0x37, step)
    assert int(tag) == 0x37000344 and int(low) == 0x13198A2E
    out = np.empty((4, 3), dtype=np.uint32)
    random.fill_draws(np.uint64(seed), tag, low, np.uint64(7), np.uint64(0), out)
    assert np.array_equal(got[1], out.T.ravel())


def test_rows_follow_the_id_only():
    ids = np.array([3, 1, 4, 15, 9])
    all_rows = random.uniform(1, Stream.VELOCITIES, 12, np.arange(16), 3)
    assert np.array_equal(random.uniform(1, Stream.VELOCITIES, 12, ids, 3), all_rows[ids])


def test_different_everything_different_numbers():
    def draw(seed, stream, step):
        return random.uniform(seed, stream, step, np.arange(50), 2)

    base = draw(1, 2, 3)
    for other in (draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4), draw(1 + (1 << 40), 2, 3), draw(1, 2, 3 + (1 << 32))):
        assert not np.any(base == other)


def test_uniform_is_uniform_and_open():
    u = random.uniform(7, Stream.POSITIONS, 0, np.arange(200_000), 3)
    assert u.shape == (200_000, 3) and u.min() > 0 and u.max() < 1
    counts = np.histogram(u, bins=100, range=(0, 1))[0]
    chi2 = ((counts - u.size / 100) ** 2 / (u.size / 100)).sum()
    assert 50 < chi2 < 170                      # 99 degrees of freedom: false alarm about 1e-5
    assert abs(np.corrcoef(u.T) - np.eye(3)).max() < 0.01


def test_normal_moments():
    z = random.normal(3, Stream.THERMOSTAT, 5, np.arange(200_000), 3)
    assert z.shape == (200_000, 3)
    assert abs(z.mean()) < 0.006 and abs(z.var() - 1) < 0.01 and abs((z**4).mean() - 3) < 0.08
    assert abs(np.corrcoef(z.T) - np.eye(3)).max() < 0.01


def test_permutation():
    p = random.permutation(1, Stream.SHUFFLE, 0, 1000)
    assert np.array_equal(np.sort(p), np.arange(1000))
    assert not np.array_equal(p, random.permutation(2, Stream.SHUFFLE, 0, 1000))


@pytest.mark.parametrize(("stream", "step"), [(256, 0), (1, -1), (1, 1 << 56)])
def test_out_of_range_is_refused(stream, step):
    with pytest.raises(ValueError, match="random numbers"):
        random.counter(stream, step)
