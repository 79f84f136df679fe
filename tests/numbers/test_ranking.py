"""Ranks and scores: ties, missing values, known answers, the reference glasses' own matrices."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from hpcglass.numbers.ranking import cumulative, mean_score, score, soft_ranks, spearman

DATA = Path(__file__).parents[1] / "data"


def test_ties_and_missing_values():
    values = np.array([3.0, 1.0, 1.0, np.nan, 7.0])
    assert soft_ranks(values, "high") * 5 == pytest.approx([4, 2.5, 2.5, 1, 5])
    assert soft_ranks(values, "low") * 5 == pytest.approx([3, 4.5, 4.5, 1, 2])
    assert soft_ranks(np.zeros(4), "low") == pytest.approx([0.625] * 4)


@pytest.mark.parametrize("name", ["ipl12-2d", "ipl10-2d", "lj-binary-2d", "lj-poly-2d"])
def test_reference_scores(name):
    with h5py.File(DATA / f"indicators-{name}.h5") as file:
        names = [text.decode() if isinstance(text, bytes) else text for text in file["scores/names"][()]]
        matrix, rank, particle = (file[f"scores/{key}"][()] for key in ("spearman", "rank", "particle"))
        known = [k for k, key in enumerate(names) if key in file and key != "structure_functions"]
        ranks = np.array([soft_ranks(file[names[k]][()], file[names[k]].attrs["soft"]) for k in known])
    assert len(known) > 20
    assert ranks[:, int(particle)] == pytest.approx(rank[known], abs=1e-12)
    assert spearman(ranks) == pytest.approx(matrix[np.ix_(known, known)], abs=1e-9)


def test_scores_of_fields_with_known_answers():
    rng = np.random.default_rng(3)
    field = rng.random(1000)
    softest = int(field.argmax())
    assert soft_ranks(field, "high")[softest] == 1.0 and soft_ranks(field, "low")[softest] == 1 / 1000
    assert score(np.full(10, 1.0)) == (1.0, 0.0)
    assert np.isnan(score(np.array([]))[0]) and np.isnan(score(np.array([0.5]))[1])
    # forecasts of a shuffled field: C = 0 within 4 of its errors, false alarm 6e-5
    mean, error = score(rng.random(4000))
    assert abs(mean) < 4 * error and error == pytest.approx(2 / np.sqrt(12 * 4000), rel=0.1)


def test_errors_over_samples():
    """Forecasts within a sample are alike: the error is that of the samples, however many forecasts each one has."""
    rng = np.random.default_rng(4)
    samples = [np.full(rng.integers(1, 30), rank) for rank in rng.random(200)]
    mean, error = mean_score(samples)
    assert error > 2 * score(np.concatenate(samples))[1]
    equal = [np.full(5, rank) for rank in rng.random(50)]
    assert mean_score(equal) == pytest.approx(score(np.array([one[0] for one in equal])), rel=1e-9)
    assert mean_score([np.array([1.0]), np.array([])])[0] == 1.0 and np.isnan(mean_score([])[0]) and -1 < mean < 1


def test_cumulative():
    missed, share = cumulative(np.array([1.0, 0.5, 0.9]))
    assert missed == pytest.approx([0.0, 0.1, 0.5]) and share == pytest.approx([1 / 3, 2 / 3, 1.0])
