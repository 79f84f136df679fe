"""Paper 001: from micromechanics to a lattice, by Richard."""

from __future__ import annotations

import numpy as np

from papers.entry import Campaign, Entry, Number, about, above, below, between
from papers.pictures import lattice_panels
from papers.results import mean, median, ratio
from papers.stresses import (
    band,
    deviations,
    draw_cavities,
    draw_strengths,
    draw_tails,
    fluctuations,
    growth,
    homogeneous,
    over,
    overshoot,
    peak,
    prefactor,
    product_range,
    reached,
    same_modulus,
    series,
    steady,
    strengths,
    tail,
    with_size,
    yields,
)

ORDERS = ((1, "φ_γ", 7 / 2, "7/2"), (2, "φ_γγ", 11 / 6, "11/6"), (3, "φ_γγγ", 3 / 2, "3/2"))
TEMPERATURES = ("1.0", "0.6", "0.45")

CAMPAIGNS = (
    Campaign(
        "001-fig1a",
        ("system.model=ipl10-binary", "T_p=2.0", "N=1600", "sweeps=100", "ensemble.samples=30"),
        minutes=2,
        after=("merge {task} --stage expand -o {out}-expand.h5 --no-plots",),
    ),
    Campaign(
        "001-fig1b",
        ("N=1000", "sweeps=1000", "ensemble.samples=10"),
        tuple((t, (f"T_p={t}",)) for t in TEMPERATURES),
        minutes=4,
        after=("merge {task} --stage expand -o {out}-expand.h5 --no-plots",),
    ),
    Campaign("001-fig2", ("N=10000", "sweeps=20"), after=("plot {run} -o {out}/plots",), minutes=1),
    Campaign("001-fig3", ("N=2500", "sweeps=500", "T_p=0.5"), minutes=1),
    Campaign(
        "001-fig4",
        ("N=2500", "ensemble.samples=2"),
        tuple((t, (f"sweep.T_p=[{t}]",)) for t in ("0.7", "0.4", "0.2")),
        minutes=20,
        after=(
            "merge {task} --stage exact -o {out}-exact.h5 --no-plots",
            "merge {task} --stage series -o {out}-series.h5 --no-plots",
        ),
    ),
    Campaign(
        "001-fig5ab-epm",
        ("ensemble.samples=3",),
        after=("merge {task} --stage epm -o {out}-epm.h5 --no-plots",),
        minutes=1,
    ),
    Campaign(
        "001-fig5c-epm",
        ("ensemble.samples=4",),
        after=("merge {task} --stage epm -o {out}-epm.h5 --no-plots",),
        minutes=1,
    ),
    Campaign("001-fig6-epm", ("ensemble.samples=8",), after=("plot {run} -o {out} --together",), minutes=0.5),
    Campaign(
        "001-fig7cd-epm",
        (
            "strain=10.0",
            "epm.fields_at=[0.2,1.0,10.0]",
            "epm.record_every=0.05",
            "L=64",
            "sweep=[{T_p=0.4,mu=8.23},{T_p=0.2,mu=11.08}]",
            "ensemble.samples=4",
        ),
        after=("plot {run} -o {out} --together",),
        minutes=2,
    ),
    Campaign("001-fig8", ("N=1000", "sweeps=2000", "strain=0.005", "steps=10"), after=("plot {run} -o {out}/plots",), minutes=1),
    Campaign("001-fig9-epm", ("sweep.L=[16,32,64]", "ensemble.samples=8"), after=("plot {run} -o {out} --together",), minutes=1),
)

ENTRIES = (
    Entry(
        "001-fig1",
        "distributions of the derivatives of pair energies, and A_g against the parent temperature",
        ("001-fig1a", "001-fig1b"),
        (
            *(
                Number(f"exponent of P({name}), 2D binary glasses", "Fig. 1a, Eq. 23", tail(order), **about(value, 0.1, words))
                for order, name, value, words in ORDERS
            ),
            Number(
                "A_g(0.6)/A_g(1), 3D",
                "Fig. 1c",
                lambda at: ratio(prefactor("0.6")(at), prefactor("1.0")(at)),
                **below(1.0, "< 1"),
            ),
            Number(
                "A_g(0.45)/A_g(1), 3D",
                "Fig. 1c",
                lambda at: ratio(prefactor("0.45")(at), prefactor("1.0")(at)),
                **below(0.3, "falls by 3 to 4 decades down to T_p = 0.32"),
            ),
        ),
        note="""Exponents are fitted between the values that 1 % and 0.01 % of the pairs exceed. Thirty glasses of 1600
particles have no softer modes than those at the end of that window, where the densities bend down (the picture shows it),
so the exponents of second and third order come out too large; lines have the paper's. A_g by its T_p takes more glasses, too.""",
        picture=draw_tails,
    ),
    Entry(
        "001-fig2",
        "the product field φ_γ φ_γγ: soft spots that give way first",
        ("001-fig2",),
        (
            Number(
                "largest value of the field over its median, quadrants of a glass",
                "Fig. 2: “very large Eshelby-like fields”",
                product_range,
                **above(100.0, "dominated by few spots"),
            ),
        ),
        picture="001-fig2/plots/02-expand-map.png",
    ),
    Entry(
        "001-fig3",
        "stress of cavities by the frozen matrix and by bond micromechanics",
        ("001-fig3",),
        (
            Number(
                "change of stress up to the exact γ_c by the expansion over the exact one, γ_c < 0.05",
                "Fig. 3c",
                lambda at: mean(reached(at, 0.0, 0.05)),
                **about(1.0, 0.1, "1: good agreement"),
            ),
            Number(
                "the same, γ_c > 0.05",
                "Fig. 3c",
                lambda at: mean(reached(at, 0.05, 1.0)),
                **about(1.0, 0.2, "1: semi-quantitative"),
            ),
            Number(
                "its relative deviation, mean modulus, γ_c > 0.05 less γ_c < 0.05",
                "Fig. 3c",
                deviations,
                **above(0.0, "> 0: some deviations at large strains"),
            ),
            Number(
                "strength by the expansion over the exact one, median",
                "abstract",
                lambda at: median(np.divide(*yields(at))),
                **above(1.0, "> 1: overestimates large activations"),
            ),
            Number(
                "largest relative difference of the moduli",
                "Fig. 3c, inset",
                same_modulus,
                **below(1e-5, "the same local shear modulus"),
                no_error="a largest value",
            ),
        ),
        picture=draw_cavities,
        note="""The exact method keeps where each cavity yields, not its whole curve: curves are compared there, where the
exact one has bent most. One glass, 36 cavities forward and backward.""",
    ),
    Entry(
        "001-fig4",
        "distribution, mean and variance of the local yield stress against the parent temperature, by both methods",
        ("001-fig4",),
        (
            Number(
                "mean, expansion over frozen matrix, T_p = 0.7",
                "Fig. 4c",
                over("mean_sigma_y", "0.7"),
                **about(1.0, 0.1, "1: the same average"),
            ),
            Number(
                "variance, expansion over frozen matrix, T_p = 0.7",
                "Fig. 4d",
                over("std_sigma_y", "0.7"),
                **above(1.5, "at least 1.5"),
            ),
            Number("mean, T_p = 0.2", "Fig. 4c", over("mean_sigma_y", "0.2"), **about(1.0, 0.15, "1, small deviations")),
            Number("variance, T_p = 0.2", "Fig. 4d", over("std_sigma_y", "0.2"), **above(1.5, "at least 1.5")),
            Number(
                "mean of T_p = 0.2 over that of 0.7, frozen matrix",
                "Fig. 4b, c",
                lambda at: ratio(strengths("exact", "mean_sigma_y", "0.2")(at), strengths("exact", "mean_sigma_y", "0.7")(at)),
                **above(1.0, "> 1"),
            ),
        ),
        picture=draw_strengths,
        note="""Eight glasses of N = 4900 at each parent temperature, at the density 0.61 of the unit λ_min, with cavities and
blocks of five mean spacings as in the paper.""",
    ),
    Entry(
        "001-fig5",
        "loading curves of lattices: steady stress, its fluctuations, peaks",
        ("001-fig5ab-epm", "001-fig5c-epm"),
        (
            Number(
                "fluctuations of the steady stress, L = 20 over 40",
                "Fig. 5b",
                lambda at: ratio(fluctuations("L=20")(at), fluctuations("L=40")(at)),
                **about(2.0, 0.2, "2: as 1/L"),
            ),
            Number(
                "steady stress, L = 20 over 40",
                "Fig. 5b",
                lambda at: ratio(
                    steady("001-fig5ab-epm", "L=20", "steady_stress")(at), steady("001-fig5ab-epm", "L=40", "steady_stress")(at)
                ),
                **about(1.0, 0.02, "1"),
            ),
            Number("peak, T_p = 0.2 over 0.4", "Fig. 5c, inset", lambda at: ratio(peak(2)(at), peak(1)(at)), **above(1.0, "> 1")),
            Number("overshoot of T_p = 0.2 above the steady stress", "Fig. 5c", overshoot, **above(0.0, "> 0")),
        ),
        picture=lattice_panels(
            (
                ("001-fig5ab-epm", "shear_stress", r"stress $\Sigma$", ("$L = 20$", "$L = 40$")),
                (
                    "001-fig5c-epm",
                    "shear_stress",
                    r"stress $\Sigma$",
                    [rf"$T_\mathrm{{p}} = {t}$" for t in (0.7, 0.4, 0.2)],
                ),
            )
        ),
        note="""Thresholds are local yield stresses of our own glasses (Fig. 4, frozen matrix), the slip is the paper's; what the
flow of our glasses asks for: [calibration](calibration.md#the-slip-of-paper-001).""",
    ),
    Entry(
        "001-fig6",
        "where lattices have yielded at a strain of 12 %",
        ("001-fig6-epm",),
        (
            Number("width of the band [blocks], T_p = 0.4", "Sec. V B", band(1), **between(2.5, 4.5, "3 to 4")),
            Number("width of the band [blocks], T_p = 0.2", "Sec. V B", band(2), **between(0.5, 1.5, "1")),
            Number("share of lattices with a band, T_p = 0.7", "Fig. 6", homogeneous, **about(0.0, 0.0, "none")),
        ),
        picture="001-fig6-epm/together-maps.png",
        note="""Eight lattices each, with thresholds of our own glasses: those of T_p = 0.4 hardly overshoot (Fig. 5), and their
bands are wide. The paper reads widths off its pictures; here w = (ΣP)²/(nΣP²) times the period, which counts the activity
outside of the band, too ([shear](shear.md#where-plasticity-happens)).""",
    ),
    Entry(
        "001-fig7",
        "growth of shear bands",
        ("001-fig7cd-epm",),
        (
            Number("n of w ~ γ^n in the lattice, T_p = 0.2", "Fig. 7d", growth(1), **about(0.5, 0.03, "0.5")),
            Number(
                "n of w ~ γ^n in the lattice, T_p = 0.4",
                "Fig. 7d",
                growth(0),
                **about(0.5, 0.03, "0.5"),
                no_error="the one lattice of four that can be fitted",
            ),
        ),
        picture="001-fig7cd-epm/together-bands.png",
        note="""Four lattices of 64 × 64 for each T_p, thresholds of our own glasses: bands of T_p = 0.4 soon fill the lattice
(only one is narrow enough for a fit), and two of four at T_p = 0.2 stay three blocks wide. Eight of 128 × 128 with Weibull
thresholds in their place gave 0.481 ± 0.014 at T_p = 0.2 and 0.420 ± 0.012 at 0.4: growth by γ^0.5 hangs on the distribution.
Fig. 7a and b, particles (w ~ γ^0.25 with N = 40 000 to a strain of 11), take days of a core:
`inputs/papers/001-fig7ab.toml`.""",
    ),
    Entry(
        "001-fig8",
        "stress and pressure against their expansions, under shear and under dilation",
        ("001-fig8",),
        (
            Number(
                "largest deviation of σ_xy under shear up to 0.5 %, over its change",
                "Fig. 8a",
                series("shear", "stress_xy", 0.005),
                **below(0.01, "perfect agreement"),
                no_error="a largest value, of one glass",
            ),
            Number(
                "largest deviation of P under dilation up to 0.5 %, over its change",
                "Fig. 8b",
                series("dilation", "pressure", 0.005),
                **below(0.01, "perfect agreement"),
                no_error="a largest value, of one glass",
            ),
        ),
        picture="001-fig8/plots/*shear*comparison*.png",
    ),
    Entry(
        "001-fig9",
        "width of the shear band against the size",
        ("001-fig9-epm",),
        (Number("α of w ~ L^α at γ = 0.15, T_p = 0.2, lattices", "Fig. 9b; Sec. V B", with_size, **between(0.55, 0.75)),),
        picture="001-fig9-epm/together-sizes.png",
        note="The paper measures it with particles; a similar lattice model has 0.68 (its ref. 77).",
    ),
)
