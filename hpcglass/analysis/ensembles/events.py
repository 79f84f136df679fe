"""What is kept of sheared samples while an ensemble is merged: first events, event rates and sizes, steady stress, shear bands.

Collectors as in `collectors.py`; definitions: docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.ensembles.collectors import BLOCKS, Collector, Columns, Numbers, Rows, Sample, make_table, occupied
from hpcglass.analysis.open_run import Table
from hpcglass.numbers.tails import centres, jackknife, log_edges

Floats = NDArray[np.float64]
Finished = tuple[dict[str, Table], Numbers]
STEADY = 0.5            # the smallest strain whose second half is called steady
PIECES = 8              # into which a single sample's steady state is cut, for errors


class Together:
    """Several collectors that look at the same table."""

    def __init__(self, *parts: Collector) -> None:
        self.parts = parts

    def add(self, sample: Sample, block: int) -> None:
        for part in self.parts:
            part.add(sample, block)

    def finish(self, blocks: int) -> Finished:
        tables: dict[str, Table] = {}
        numbers: Numbers = {}
        for part in self.parts:
            more, values = part.finish(blocks)
            tables |= more
            numbers |= values
        return tables, numbers


def events(first: Sample) -> Collector:
    """Of a stage with events."""
    return Together(FirstEvents(), Drops(first)) if "loading" in first.tables else FirstEvents()


def loading(first: Sample) -> Collector:
    """Of a stage that records stress against strain, of particles or of a lattice."""
    return Together(Rows("loading", "mean_loading", False, first), SteadyStress(first))


class FirstEvents:
    """Strain of the first event of each sample: where its branch ends if that was located, else the end of its step."""

    def __init__(self) -> None:
        self.strains: list[float] = []
        self.without = 0

    def add(self, sample: Sample, block: int) -> None:
        events = sample.tables["events"]
        if not events.rows:
            self.without += 1
            return
        located = float(events["gamma_c"][0]) if "gamma_c" in events else np.nan
        self.strains.append(located if np.isfinite(located) else float(events["strain"][0]))

    def finish(self, blocks: int) -> Finished:
        strains = np.sort(np.array(self.strains))
        n = len(strains)
        spread = float(np.std(strains, ddof=1)) if n > 1 else np.nan
        rank = (np.arange(n) + 0.5) / max(n + self.without, 1)
        table = make_table({"strain": (strains, "", "strain at the first event"),
                            "cumulative": (rank, "", "share of samples with an event before")})
        return {"first_event": table}, {
            "first_event_strain": (float(strains.mean()) if n else np.nan, "", "mean strain at the first event"),
            "first_event_strain_error": (spread / max(n, 1) ** 0.5, "", "its error"),
            "first_event_strain_std": (spread, "", "standard deviation over samples"),
            "first_event_none": (float(self.without), "", "samples without an event, which the mean leaves out")}


class Drops:
    """Number of events and their mean stress and energy drops, in bins of strain; distributions of drops and sizes.

    A stress drop counts along the motion: it is positive if the stress falls in forward, or rises in backward shear. So does a
    slip. Its mean weighs each event with its slipped volume, by which it strains the glass.
    """

    BINS = 24
    GRID = log_edges(-16, 8)
    SIZES: ClassVar = {"stress_drop": "energy/length^d", "energy_drop": "energy", "size": "", "slip": ""}

    def __init__(self, first: Sample) -> None:
        strain = first.tables["loading"]["strain"]
        self.edges = np.linspace(strain.min(), max(strain.max(), strain.min() + 1e-12), self.BINS + 1)
        self.particles = first.particles
        self.names = [name for name in self.SIZES if name in first.tables["events"]]
        self.sums = np.zeros((BLOCKS, 6, self.BINS))            # see `add`
        self.counts = np.zeros((BLOCKS, len(self.names), len(self.GRID) - 1))
        self.total = np.zeros((BLOCKS, len(self.names)))

    def add(self, sample: Sample, block: int) -> None:
        events, strain = sample.tables["events"], sample.tables["loading"]["strain"]
        motion = np.diff(strain)
        step = events["step"].astype(np.int64) - 1
        middle = (strain[1:] + strain[:-1]) / 2
        along = np.sign(motion[step])
        values = {name: events[name] * (along if name in ("stress_drop", "slip") else 1.0) for name in self.names}
        slipped = events["slipped_volume"] * along if "slip" in self.names else np.zeros(len(step))
        weights = [np.ones(len(step)), values["stress_drop"], values["energy_drop"], slipped, slipped * values.get("slip", 0.0)]
        self.sums[block] += [np.histogram(middle, self.edges, weights=np.abs(motion))[0],
                             *(np.histogram(middle[step], self.edges, weights=weight)[0] for weight in weights)]
        for k, name in enumerate(self.names):
            self.counts[block, k] += np.histogram(values[name], self.GRID)[0]
            self.total[block, k] += len(step)

    def finish(self, blocks: int) -> Finished:
        kept = self.sums[:blocks]

        def ratio(a: int, b: int) -> Any:
            def estimate(chosen: NDArray[np.bool_]) -> Floats:
                over, under = kept[chosen, a].sum(axis=0), kept[chosen, b].sum(axis=0)
                return np.where(under > 0, over / np.where(under > 0, under, 1.0), np.nan)
            return estimate

        columns: Columns = {"strain": ((self.edges[1:] + self.edges[:-1]) / 2, "", "strain, middle of the bin"),
                            "low": (self.edges[:-1], "", "lower edge"), "high": (self.edges[1:], "", "upper edge"),
                            "events": (kept[:, 1].sum(axis=0), "", "events of all samples")}
        means = [("rate", 1, 0, "", "events of a sample per strain"),
                 ("stress_drop", 2, 1, "energy/length^d", "mean stress drop of an event"),
                 ("energy_drop", 3, 1, "energy", "mean energy drop of an event")]
        if "slip" in self.names:
            means += [("slipped_volume", 4, 1, "length^d", "mean slipped volume of an event"),
                      ("slip", 5, 4, "", "mean slip of a block around the core, weighed with the slipped volume")]
        for name, a, b, units, text in means:
            columns[name] = (ratio(a, b)(np.ones(blocks, dtype=bool)), units, text)
            columns[f"{name}_error"] = (jackknife(ratio(a, b), blocks), units, "its error")
        columns["rate_per_particle"] = (columns["rate"][0] / self.particles, "", "events per strain and particle")
        tables = {"event_rate": make_table(columns)}
        for k, name in enumerate(self.names):
            tables[f"{name}_density"] = self._density(k, name, self.SIZES[name], blocks)
        return tables, {}

    def _density(self, k: int, name: str, units: str, blocks: int) -> Table:
        counts, total, width = self.counts[:blocks, k], self.total[:blocks, k], np.diff(self.GRID)
        seen = occupied(counts.any(axis=0))

        def estimate(chosen: NDArray[np.bool_]) -> Floats:
            return np.asarray(counts[chosen].sum(axis=0) / (max(total[chosen].sum(), 1.0) * width))

        inverse, text = f"1/({units})" if units else "", name.replace("_", " ")
        density = estimate(np.ones(blocks, dtype=bool))[seen]
        return make_table({"value": (centres(self.GRID)[seen], units, text), "count": (counts.sum(axis=0)[seen], "", "events"),
                           "density": (density, inverse, f"probability density of the {text}"),
                           "density_error": (jackknife(estimate, blocks)[seen], inverse, "its error")})


class SteadyStress:
    """Distribution, mean and fluctuations of the stress in the second half of loadings straight to a strain of 0.5 or more.

    Each state counts with the length of the step to it. The histogram has bins of a quarter of the first sample's standard
    deviation.
    """

    BINS, REACH = 96, 12.0

    def __init__(self, first: Sample) -> None:
        strain = np.abs(first.tables["loading"]["strain"])
        straight = bool((np.diff(strain) > 0).all())
        self.begin = strain.max() / 2 if straight and strain.max() >= STEADY else np.nan
        self.units = first.tables["loading"].units["shear_stress"]
        self.means: list[float] = []
        self.pieces: list[float] = []
        self.variances: list[float] = []
        if np.isfinite(self.begin):
            stress, _ = self._steady(first)
            middle, spread = float(stress.mean()), max(float(stress.std()), 1e-12)
            self.edges = middle + spread * np.linspace(-self.REACH, self.REACH, self.BINS + 1)
            self.counts, self.total = np.zeros((BLOCKS, self.BINS)), np.zeros(BLOCKS)

    def _steady(self, sample: Sample) -> tuple[Floats, Floats]:
        """Stresses there, positive along the motion, and lengths of the steps to them."""
        table = sample.tables["loading"]
        step = np.diff(table["strain"])
        steady = np.abs(table["strain"][1:]) > self.begin
        return (table["shear_stress"][1:] * np.sign(step))[steady], np.abs(step)[steady]

    def add(self, sample: Sample, block: int) -> None:
        if not np.isfinite(self.begin):
            return
        stress, length = self._steady(sample)
        mean = float(np.average(stress, weights=length))
        self.means.append(mean)
        self.variances.append(float(np.average((stress - mean) ** 2, weights=length)))
        self.counts[block] += np.histogram(stress, self.edges, weights=length)[0]
        self.total[block] += length.sum()
        if len(self.means) == 1:
            cuts = np.array_split(np.arange(len(stress)), PIECES)
            self.pieces = [float(np.average(stress[cut], weights=length[cut])) for cut in cuts if len(cut)]

    def finish(self, blocks: int) -> Finished:
        if not np.isfinite(self.begin):
            return {}, {}
        counts, total, width = self.counts[:blocks], self.total[:blocks], np.diff(self.edges)
        seen = occupied(counts.any(axis=0))

        def estimate(chosen: NDArray[np.bool_]) -> Floats:
            return np.asarray(counts[chosen].sum(axis=0) / (total[chosen].sum() * width))

        units, inverse = self.units, f"1/({self.units})" if self.units else ""
        table = make_table({
            "stress": (((self.edges[1:] + self.edges[:-1]) / 2)[seen], units, "shear stress in the steady state"),
            "density": (estimate(np.ones(blocks, dtype=bool))[seen], inverse, "its probability density"),
            "density_error": (jackknife(estimate, blocks)[seen], inverse, "error of that")})
        means = np.array(self.means)
        scattered = means if len(means) > 1 else np.array(self.pieces)
        error = float(np.std(scattered, ddof=1)) / len(scattered) ** 0.5 if len(scattered) > 1 else np.nan
        spread = float(np.sqrt(np.mean(self.variances) + means.var()))
        return {"steady_stress_density": table}, {
            "steady_from": (float(self.begin), "", "strain from which on the state is called steady"),
            "steady_stress": (float(means.mean()), units, "mean stress in the steady state"),
            "steady_stress_error": (error, units, "its error"),
            "steady_stress_std": (spread, units, "standard deviation of the stress in the steady state")}


class Activity(Rows):
    """Means over samples of the plastic activity against strain; width and localisation over the samples with a band."""

    def __init__(self, first: Sample) -> None:
        super().__init__("activity", "mean_activity", False, with_bands(first))

    def add(self, sample: Sample, block: int) -> None:
        super().add(with_bands(sample), block)


class BandProfile:
    """Mean over samples with a band along the shear of P(x) around it, at each strain."""

    def __init__(self, first: Sample) -> None:
        self.sums: dict[tuple[float, float], list[float]] = {}          # (strain, x) -> [samples, sum, sum of squares]
        self.units, self.names = first.tables["band_profile"].units, first.tables["band_profile"].long_name

    def add(self, sample: Sample, block: int) -> None:
        activity, table = sample.tables["activity"], sample.tables["band_profile"]
        along = activity["strain"][activity["band"] == 1]
        seen = np.isin(table["strain"], along)
        for strain, x, value in zip(table["strain"][seen], table["x"][seen], table["activity"][seen], strict=True):
            sums = self.sums.setdefault((float(f"{strain:.9g}"), float(f"{x:.9g}")), [0.0, 0.0, 0.0])
            sums[0] += 1
            sums[1] += value
            sums[2] += value * value

    def finish(self, blocks: int) -> Finished:
        keys = sorted(self.sums, key=lambda key: (abs(key[0]), key[1]))
        n, total, square = np.array([self.sums[key] for key in keys], dtype=np.float64).reshape(-1, 3).T
        error = np.sqrt(np.maximum(square / n - (total / n) ** 2, 0.0) / np.maximum(n - 1, 1))
        strain, x = np.array(keys, dtype=np.float64).reshape(-1, 2).T
        return {"mean_band_profile": make_table({
            "strain": (strain, "", "strain"), "x": (x, self.units["x"], "distance from the band"),
            "samples": (n, "", "samples with a band along the shear"),
            "activity": (total / n, "", self.names["activity"]),
            "activity_error": (np.where(n > 1, error, np.nan), "", "its error")})}, {}


def with_bands(sample: Sample) -> Sample:
    """The sample with a table `activity` whose columns may be averaged."""
    table = sample.tables["activity"]
    found = table["band"] > 0
    columns: Columns = {name: (table[name], table.units[name], table.long_name[name])
                        for name in ("strain", "active", "ever_active", "events", "d2min") if name in table}
    columns["along"] = (table["band"] == 1, "", "share of samples with a band along the shear")
    columns["across"] = (table["band"] == 2, "", "share of samples with a band across it")
    for name in ("width", "localisation"):
        columns[name] = (np.where(found, table[name], np.nan), table.units[name], f"{table.long_name[name]}, samples with a band")
    return replace(sample, tables={**sample.tables, "activity": make_table(columns)})
