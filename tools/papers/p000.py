"""Paper 000: screened elasticity around an inflated core, by Kumar, Moshe, Procaccia and Singh."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from papers.decision import REARRANGED, Decision
from papers.entry import Campaign, Entry, Measured, Number, about, above, below
from papers.results import Gallery, mean, median, share

POWER_LAW = (
    (2.0, 0.65, 0.101),
    (0.2, 0.5, 0.05),
    (0.3, 0.65, 0.1),
    (0.5, 0.5, 0.09),
    (0.4, 0.5, 0.07),
    (0.2, 0.7, 0.1),
)  # T_m, r_in, d_0
LENNARD_JONES = ((1.0, 0.6, 0.15), (0.9, 0.7, 0.13), (1.0, 0.72, 0.06), (1.0, 0.75, 0.11), (0.9, 0.63, 0.1), (0.9, 0.75, 0.12))
CORES = (0.65, 2.0, 5.0)  # r_in of the annuli that ask where the medium begins
WIDER = "000-fig1-wider"
INVERSE_POWER, ATTRACTIVE = Decision("000-decision"), Decision("000-decision-lj")
AFTER = ("screening {run} -o {out}/screening.h5 --plot",)
REDUCED = ("sweeps=100", "quench.force_tolerance=1e-8", "inflate.force_tolerance=1e-8")


def rows(values: tuple[tuple[float, float, float], ...], r_out: float) -> str:
    """A sweep over the rows of a table, in smaller annuli."""
    return "sweep=[" + ",".join(f"{{T_m={t},r_in={r},r_out={r_out:g},d_0={d}}}" for t, r, d in values) + "]"


CAMPAIGNS = (
    Campaign(
        "000-fig1", (*REDUCED, "ensemble.samples=4", rows(((0.4, 0.72, 0.15), (0.3, 0.8, 0.18)), 30)), after=AFTER, minutes=1
    ),
    Campaign(
        WIDER,
        (
            *REDUCED,
            "ensemble.samples=6",
        ),
        (("", ("sweep=[" + ",".join(f"{{T_m=0.5,r_in={r},r_out=40,d_0=0.05}}" for r in CORES) + "]",)),),
        after=("screening {run} -o {out}/screening.h5",),
        minutes=3,
        input="000-table1",
    ),
    Campaign("000-table1", (*REDUCED, rows(POWER_LAW, 30)), after=AFTER, minutes=2),
    Campaign(INVERSE_POWER.campaign, after=("screening {run} -o {out}/screening.h5",), minutes=40),
    Campaign(ATTRACTIVE.campaign, after=("screening {run} -o {out}/screening.h5",), minutes=40),
    Campaign("000-fig5", (*REDUCED, rows(((0.9, 0.6, 0.1), (0.5, 0.75, 0.15)), 30)), after=AFTER, minutes=1),
    Campaign("000-table2", (*REDUCED, rows(LENNARD_JONES, 30)), after=AFTER, minutes=2),
    Campaign(
        "000-fig9", (*REDUCED, "r_out=30", "ensemble.samples=8"), after=("screening {run} -o {out}/screening.h5",), minutes=2
    ),
)


def fields(at: Gallery, campaign: str) -> Any:
    """A row for each displacement field."""
    return at[campaign].file("screening.h5").tables["screening"]


def screened_in(campaign: str) -> Any:
    """Share of the fields that are screened."""

    def of(at: Gallery) -> Measured:
        table = fields(at, campaign)
        return share(int(table["screened"].sum()), table.rows)

    return of


def rearranged_in(campaign: str) -> Any:
    """Share of the glasses that do not give their energy back."""

    def of(at: Gallery) -> Measured:
        table = fields(at, campaign)
        return share(int((table["energy_plastic"] < REARRANGED).sum()), table.rows)

    return of


def middle(campaign: str, column: str, times: str = "") -> Any:
    """Median over the fields."""

    def of(at: Gallery) -> Measured:
        table = fields(at, campaign)
        return median(table[column] * (table[times] if times else 1.0))

    return of


def without_loss(at: Gallery, r_in: float) -> Any:
    """Amplitudes A of the elastic field around a core of this radius, of glasses that gave all energy back."""
    table = fields(at, WIDER)
    return table["elastic_amplitude"][np.isclose(table["r_in"], r_in) & (table["energy_plastic"] > REARRANGED)]


def wider(r_in: float) -> Any:
    """Mean of that amplitude over glasses."""
    return lambda at: mean(without_loss(at, r_in))


def skin(r_in: float) -> Any:
    """How far beyond the wall the medium begins: s of A = (r_in + s)/r_in, mean over the same glasses."""
    return lambda at: mean((without_loss(at, r_in) - 1.0) * r_in)


def scaled_elasticity(campaign: str) -> Any:
    """Share of the fields that elasticity of another amplitude describes better than any kappa."""

    def of(at: Gallery) -> Measured:
        table = fields(at, campaign)
        return share(int((table["misfit_scaled"] < -2).sum()), table.rows)

    return of


def by_glass(at: Gallery, column: str) -> Any:
    """A column of Fig. 9's fields, a row for each glass, in the order of d_0."""
    table = fields(at, "000-fig9")
    return table[column].reshape(-1, len(np.unique(table["d_0"])))


def monotonic(column: str) -> Any:
    """Spearman's correlation of a column with the change of energy, over the inflations of a glass; mean over glasses."""

    def of(at: Gallery) -> Measured:
        from scipy.stats import spearmanr

        pairs = zip(by_glass(at, "energy_change"), by_glass(at, column), strict=True)
        return mean(spearmanr(x, y).statistic for x, y in pairs if np.ptp(y) > 0)

    return of


def lowest_energy(at: Gallery) -> Measured:
    """Smallest change of energy of each glass, mean over glasses."""
    return mean(by_glass(at, "energy_change").min(axis=1))


def draw_inflations(at: Gallery) -> Any:
    """kappa and M against the change of energy, the inflations of each glass joined."""
    from hpcglass.analysis.figures.style import SERIES, row

    figure, drawn = row(2, 3.3, 2.7)
    energy = by_glass(at, "energy_change")
    for axes, column, label in zip(drawn, ("kappa", "M"), (r"best $\kappa$ [1/length]", "$M$"), strict=True):
        for k, values in enumerate(by_glass(at, column)):
            order = energy[k].argsort()
            axes.plot(energy[k][order], values[order], "o-", color=SERIES[k % len(SERIES)], markersize=3, linewidth=0.7)
        axes.set(xlabel=r"$\Delta E$ [energy]", ylabel=label)
    return figure


def sign_changes(at: Gallery) -> Measured:
    """Of M(kappa) of the theory for the annulus of Fig. 11, kappa up to 0.2."""
    from hpcglass.analysis.screening.annulus import Annulus, deviation_of_kappa

    kappa = np.linspace(0.001, 0.2, 4000)
    signed, _ = deviation_of_kappa(kappa, Annulus(0.72, 80.0, 0.1))
    return float((np.diff(np.sign(signed)) != 0).sum()), math.nan


def draw_theory(at: Gallery) -> Any:
    """M against kappa, both signs, by the theory."""
    from hpcglass.analysis.figures.style import BLUE, panels
    from hpcglass.analysis.screening.annulus import Annulus, deviation_of_kappa

    figure, (axes,) = panels(1, 4.0, 2.6)
    kappa = np.linspace(0.001, 0.2, 4000)
    signed = deviation_of_kappa(kappa, Annulus(0.72, 80.0, 0.1))[0]
    signed[1:][np.diff(np.sign(signed)) != 0] = np.nan  # not across the poles
    axes.plot(kappa, signed, color=BLUE)
    axes.axhline(0.0, color="0.7", linewidth=0.8)
    axes.set(xlabel=r"$\kappa$ [1/length]", ylabel="$M$", yscale="symlog")
    return figure


ELASTIC = """Elastic here too (eight glasses in Figs. 1 and 3, two in 5 and 6), with a larger amplitude than the wall alone
would give: the medium begins at the particles that touch the wall, and not at the wall. That is tested in Fig. 1 at larger
cores, r_out = 40 and d_0 = 0.05, six glasses for each r_in: those that gave all energy back (4, 3 and 2 of them) have A =
(r_in + s)/r_in with the same s at all three, 0.6 lengths, about the radius of a particle. Glasses with an event have
amplitudes from 0.7 to 2.3 ([screening](screening.md#how-it-is-measured)). Why the paper's glasses have A = 1 is not known."""
TABLE = """The paper shows samples chosen for their response; here is one glass for each row of its table, not chosen, in
annuli of r_out = 30 instead of 80; pictures show the one that lost most energy. None is screened: those that gave all energy
back are elastic with an amplitude of about two, those that did not had one or few events, and step where these are. κ r_out >
3 does not follow from the rows' T_m: [screening](screening.md#the-papers-tables) has the rows of Table I with r_out = 80 (one
of twelve screened), and fifty glasses of other densities and larger inflations: one of them has it, at density 0.85 after an
event."""
TABLE_LJ = """The first four numbers are of one glass for each row of the table, not chosen, in annuli of r_out = 30. The others
are of `000-decision-lj`: ten glasses at each of three densities, half of them from T_m = 1 and half from 0.5, r_out = 80, each
inflated by 8, 15, 31 and 40 % of r_in = 0.65. At densities 1.0 and 0.95 (pressure 3 and 0.3) one of 80 fields is screened, with
κ r_out = 2.3, though half of them rearranged. At 0.9 the glasses are under tension (pressure −0.3 to −0.9), and six fields of
three of ten glasses are screened with κ r_out = 3.4 to 12.8, the range of the paper. But these are not its fields: the glass
lost 6 to 53 in energy, ΔE is −1 to −35, and it moved as a whole, along tears. In the one with the largest κ the part of d_r
with one wave around the core (m = 1) is 3 to 70 times the average over angles, which is all that is fitted, beyond r = 10.
Filled, in the picture: screened fields; triangles, the paper's samples."""


DECISION = """The paper shows samples chosen for their response. The first four numbers are of one glass for each row of its
table, not chosen, in annuli of r_out = 30. The others are of `000-decision`: ten glasses at each of five densities, 0.8 to
1.0, half of them from a hot liquid (T_m = 2), r_out = 80, each inflated by 8, 15, 31 and 40 % of r_in = 0.65. A field is
called screened if there is evidence for κ (delta > 2) and elasticity of another amplitude does not describe it better
(`misfit_scaled` ≥ −2): three of the 200 are; of six by delta alone three are elastic fields of twice the amplitude, of
glasses that lost nothing. The three are of two glasses of density 0.85 from T_m = 2. One has κ r_out > 3 (3.5 and 3.4),
inflated by 8 and 15 % of r_in: there it lost 0.76 and 0.98 by an event and ΔE is −0.55; inflated further it lost more and is
elastic. So the paper's kind of response needs an event here, all fields of glasses that gave all energy back but one being
elastic ones of another amplitude, but most events do not make it. In the picture: filled, screened fields; triangles, the
paper's samples, all above κ r_out = 3.3. Glasses that are softer around the core, by the partial vibrality of their 50 lowest
modes within five lengths of it, show no more evidence and lose no more energy than others of their density, within the
errors."""


def decided(of: Decision, which: str) -> tuple[Number, ...]:
    """Numbers of many glasses that were not chosen."""
    same = "the same glasses"
    return (
        Number(f"{which}: share of fields that are screened, d_0 to 16 % of r_in", "d_0 of the table", of.screened(0.0, 0.16)),
        Number("the same, d_0 of 31 and 40 % of r_in", "larger than in the table", of.screened(0.16, 1.0)),
        Number(f"{same}: share that has κ r_out > 3 at some d_0", "from κ and r_out", of.beyond),
        Number(
            f"{same}: share of the fields without loss that A times the elastic one describes better",
            "not in the paper",
            of.elastic_if_reversible,
        ),
        Number(f"{same}: share that rearranged at 40 % of r_in", "Sec. V", of.rearranged),
        Number(
            f"{same}: rank correlation of delta with the softness around the core", "not in the paper", of.by_softness("delta")
        ),
        Number(
            f"{same}: rank correlation of the plastic energy with that softness",
            "not in the paper",
            of.by_softness("energy_plastic"),
        ),
    )


def anomalous(campaign: str) -> tuple[Number, ...]:
    """Numbers of a table of screened samples."""
    return (
        Number("share of glasses that are screened", "all samples shown", screened_in(campaign), **about(1.0, 0.0, "6 of 6")),
        Number("best κ times r_out, median", "from κ and r_out", middle(campaign, "kappa", "r_out"), **above(3.3, "3.4 to 18")),
        Number("share of glasses that rearranged", "Sec. V", rearranged_in(campaign), **above(0.5, "all")),
        Number("amplitude A of the elastic field that fits best, median", "Eq. 2", middle(campaign, "elastic_amplitude")),
    )


def elastic(campaign: str) -> tuple[Number, ...]:
    """Numbers of a figure of nearly elastic samples."""
    return (
        Number("share of glasses that are screened", "“quasi-elastic”", screened_in(campaign), **about(0.0, 0.0, "none")),
        Number(
            "amplitude A of the elastic field that fits best, median",
            "Eq. 2 fits with the actual d_0",
            middle(campaign, "elastic_amplitude"),
            **about(1.0, 0.1, "1"),
        ),
    )


ENTRIES = (
    Entry(
        "000-fig1",
        "displacement around the core: nearly elastic, inverse power law",
        ("000-fig1", WIDER),
        (
            *elastic("000-fig1"),
            *(Number(f"A around r_in = {r:g}, glasses without loss", "not in the paper", wider(r)) for r in CORES),
            *(Number(f"s of A = (r_in + s)/r_in [length], r_in = {r:g}", "not in the paper", skin(r)) for r in CORES),
        ),
        ELASTIC,
        picture="000-fig1/*displacement.png",
    ),
    Entry(
        "000-fig2",
        "displacement around the core: anomalous, inverse power law",
        ("000-table1",),
        (
            Number(
                "share of fields that A times the elastic one describes better than any κ",
                "Fig. 2: none",
                scaled_elasticity("000-table1"),
                **about(0.0, 0.0, "none"),
            ),
        ),
        TABLE,
        picture="000-table1/T_m=0.3,r_in=0.65,*displacement.png",
    ),
    Entry(
        "000-fig3",
        "angle averages of Fig. 1",
        ("000-fig1",),
        elastic("000-fig1")[1:],
        ELASTIC,
        picture="000-fig1/*inflate-screening.png",
    ),
    Entry(
        "000-fig4",
        "angle averages of Fig. 2",
        ("000-table1",),
        anomalous("000-table1")[1:],
        TABLE,
        picture="000-table1/T_m=0.3,r_in=0.65,*inflate-screening.png",
    ),
    Entry(
        "000-fig5",
        "displacement around the core: nearly elastic, Lennard-Jones",
        ("000-fig5",),
        elastic("000-fig5"),
        ELASTIC,
        picture="000-fig5/*displacement.png",
    ),
    Entry(
        "000-fig6",
        "angle averages of Fig. 5",
        ("000-fig5",),
        elastic("000-fig5")[1:],
        ELASTIC,
        picture="000-fig5/*inflate-screening.png",
    ),
    Entry(
        "000-fig7",
        "displacement around the core: anomalous, Lennard-Jones",
        ("000-table2",),
        (
            Number(
                "share of fields that A times the elastic one describes better than any κ",
                "Fig. 7: none",
                scaled_elasticity("000-table2"),
                **about(0.0, 0.0, "none"),
            ),
        ),
        TABLE,
        picture="000-table2/T_m=1,r_in=0.6,*displacement.png",
    ),
    Entry(
        "000-fig8",
        "angle averages of Fig. 7",
        ("000-table2",),
        anomalous("000-table2")[1:],
        TABLE,
        picture="000-table2/T_m=1,r_in=0.6,*inflate-screening.png",
    ),
    Entry(
        "000-fig9",
        "screening parameter against the energy lost, one glass",
        ("000-fig9",),
        (
            Number("rank correlation of κ with ΔE", "Fig. 9", monotonic("kappa"), **below(-0.5, "near -1")),
            Number("smallest ΔE of a glass, mean over glasses", "Fig. 9", lowest_energy, **below(0.0, "< 0")),
            Number("share of fields that are screened", "Fig. 9", screened_in("000-fig9"), **about(1.0, 0.0, "all")),
        ),
        """Eight Lennard-Jones glasses of r_out = 30 at density 0.92, each inflated by 10 to 40 % of r_in. Where ΔE is negative a
plastic event gave up more than the wall put in; κ neither follows it nor is it significant in any field: most are elastic with
an amplitude of about two. Glasses of r_out = 80: [screening](screening.md#the-papers-tables).""",
        picture=draw_inflations,
    ),
    Entry(
        "000-fig10",
        "deviation M against κ, theory",
        (),
        (Number("sign changes of M(κ), κ up to 0.2", "Fig. 10", sign_changes, **above(2.0, "oscillates"), no_error="theory"),),
        "No simulation: the integral of Eq. 9 over the solution, without the modulus, which the paper prints and does not plot.",
        draw_theory,
    ),
    Entry(
        "000-fig11",
        "deviation M against the energy lost, one glass",
        ("000-fig9",),
        (Number("rank correlation of M with ΔE", "Fig. 11", monotonic("M"), **above(0.8, "1: monotonic")),),
        """M falls while ΔE rises in most of the eight glasses: an elastic field of amplitude A > 1 has M < 0, and grows with
d_0 as ΔE does. Events that make ΔE negative move M up or down.""",
        picture=draw_inflations,
    ),
    Entry(
        "000-table1",
        "κ of six anomalous samples, inverse power law",
        ("000-table1", INVERSE_POWER.campaign),
        (
            *anomalous("000-table1"),
            *decided(INVERSE_POWER, "50 glasses, r_out = 80"),
        ),
        DECISION,
        picture=INVERSE_POWER.draw,
    ),
    Entry(
        "000-table2",
        "κ of six anomalous samples, Lennard-Jones",
        ("000-table2", ATTRACTIVE.campaign),
        (*anomalous("000-table2"), *decided(ATTRACTIVE, "30 glasses, r_out = 80")),
        TABLE_LJ,
        picture=ATTRACTIVE.draw,
    ),
)
