"""What the papers say of loading curves, at small size.

Seeds are fixed, so a test cannot fail by chance later; limits are in errors of the mean.
"""

import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.epm import Lattice, Model, Slip, named
from hpcglass.numbers import bands


def curve(strains, seeds, **arguments):
    """Stress at given strains, (samples, strains)."""
    result = np.empty((len(seeds), len(strains)))
    for i, seed in enumerate(seeds):
        lattice = Lattice(MPI.COMM_SELF, Model(seed=seed, **arguments))
        for j, strain in enumerate(strains):
            lattice.load(strain)
            result[i, j] = lattice.stress
    return result


def compared(a, b):
    """Difference of the means of two sets of samples, in its standard errors."""
    return (a.mean() - b.mean()) / np.hypot(a.std(ddof=1) / np.sqrt(len(a)), b.std(ddof=1) / np.sqrt(len(b)))


def test_the_plateau_forgets_the_preparation():
    """001, Sec. V: P_init changes the peak, not the plateau. Beyond 4 errors once in 10^4 seeds."""
    common = dict(size=16, modulus=20.0, slip=Slip.fixed(0.065), renewal=named("normal", mean=2.0, cv=0.3, lower=0.0))
    strains = np.concatenate([np.arange(0.05, 0.3, 0.01), np.arange(6.0, 12.0, 0.25)])
    soft = curve(strains, range(12), thresholds=common["renewal"], **common)
    hard = curve(strains, range(12, 24), thresholds=named("normal", mean=3.0, cv=0.2, lower=0.0), **common)
    assert abs(compared(soft[:, 25:].mean(axis=1), hard[:, 25:].mean(axis=1))) < 4.0
    assert hard[:, :25].mean(axis=0).max() > 1.2 * soft[:, :25].mean(axis=0).max()
    assert hard[:, :25].mean(axis=0).max() > 1.2 * hard[:, 25:].mean()


def test_correlated_slips_keep_the_plateau_and_rejuvenation_makes_the_peak():
    """004, Sec. 6.1 (glass GQ): (c_0, c_1) = (0.042, 0) and (0.0235, 0.0163) have the same plateau;
    p_r ≠ p_i gives the peak at c_1 = 0."""
    hard, soft = named("gamma", mean=1.65, cv=0.308), named("gamma", mean=1.0, cv=0.436)       # second moments 2.98 and 1.19
    common = dict(size=16, modulus=19.0, bulk_modulus=55.0, internal_stress=0.175, thresholds=hard)
    strains = np.concatenate([np.arange(0.04, 0.4, 0.01), np.arange(4.0, 8.0, 0.2)])
    plain = curve(strains, range(16), slip=Slip.exponential(0.042), renewal=soft, **common)
    correlated = curve(strains, range(16, 32), slip=Slip.exponential(0.0235, 0.0163), renewal=soft, **common)
    disordered = curve(strains, range(32, 48), slip=Slip.exponential(0.0836), renewal=hard, **common)
    plateau = [runs[:, 36:].mean() for runs in (plain, correlated, disordered)]
    peak = [runs[:, :36].mean(axis=0).max() for runs in (plain, correlated, disordered)]
    assert abs(plateau[1] / plateau[0] - 1.0) < 0.08
    assert peak[0] > 1.2 * plateau[0] and peak[1] > 1.2 * plateau[1]
    assert peak[2] < 1.12 * plateau[2]


def test_larger_lattices_slip_earlier():
    """The first event is at the weakest of N thresholds: its mean strain follows their distribution, and decreases with L."""
    distribution = named("weibull", mean=2.0, cv=0.4)
    first = {}
    for size in (4, 16):
        models = [Model(size=size, modulus=20.0, thresholds=distribution, slip=Slip.fixed(0.065), seed=seed)
                  for seed in range(100)]
        strains = [Lattice(MPI.COMM_SELF, model).load(1.0, at_most=1).strain[0] for model in models]
        # the smallest of N uniform numbers: mean of Q(u)/μ with density N (1 − u)^(N − 1)
        u = (np.arange(200_000) + 0.5) / 200_000
        expected = distribution.quantile(1.0 - u ** (1.0 / size**2)).mean() / 20.0
        assert abs(np.mean(strains) - expected) < 4.0 * np.std(strains, ddof=1) / 10.0            # once in 10^4 seeds
        first[size] = np.mean(strains)
    assert first[16] < 0.7 * first[4]


@pytest.mark.slow
def test_bands_widen_diffusively():
    """001, Fig. 7d, L = 128: w grows as γ^0.5 from γ = 1 to 10. Three samples scatter by 0.05 or so; 0.12 is four of their
    errors, 0 (a pinned band) and 0.25 (the exponent of particles) are outside."""
    size, strains, slopes = 128, np.geomspace(1.0, 10.0, 9), []
    for seed in (1, 2, 3):
        model = Model(size=size, modulus=100.2, renewed_modulus=93.6, thresholds=named("weibull", mean=13.5, cv=0.28),
                      renewal=named("weibull", mean=6.9, cv=0.5), slip=Slip.fixed(0.065), seed=seed)
        lattice, widths = Lattice(MPI.COMM_SELF, model), []
        for strain in strains.tolist():
            while lattice.strain != strain:
                lattice.load(strain)
            events = lattice.event_field()
            found = bands.band([events.mean(axis=1), events.mean(axis=0)], [size, size])
            assert found.orientation > 0
            widths.append(found.width)
        slopes.append(np.polyfit(np.log(strains), np.log(widths), 1)[0])
    assert abs(np.mean(slopes) - 0.5) < 0.12
