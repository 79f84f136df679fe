"""What is kept of the loading of a lattice: the state at each record, fields at some strains, and histograms of avalanches."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.comm import total
from hpcglass.numbers import bands
from hpcglass.numbers.tails import log_edges, log_histogram
from hpcglass.stages.base import Context

if TYPE_CHECKING:
    from hpcglass.epm import Avalanches, Lattice
    from hpcglass.stages.lattice.params import EpmParams
    from hpcglass.stages.protocol import Walk

Floats = NDArray[np.float64]
LOADING = {
    "strain": ("", "strain"),
    "shear_stress": ("stress", "mean stress"),
    "plastic_strain": ("", "mean plastic strain"),
    "mean_threshold": ("stress", "mean threshold"),
    "stress_std": ("stress", "standard deviation of the stress over sites"),
    "strain_std": ("", "standard deviation of the strain over sites"),
    "localisation": ("", "LOC of the strain: 1/L if uniform, 1 in a single line"),
    "plastic_localisation": ("", "LOC of the plastic strain"),
    "age": ("", "mean threshold relative to the mean of new ones, less 1"),
    "modulus": ("stress", "shear modulus"),
    "slips": ("", "slips since the start"),
    "avalanches": ("", "avalanches since the start"),
    "covered": ("", "strain covered, turns and returns included")}
NAMES = {"shear_stress": "stress", "localisation": "localization", "plastic_localisation": "plastic_localization"}
ACTIVITY = {
    "strain": ("", "strain"),
    "ever_active": ("", "share of sites that have slipped at least once"),
    "events": ("", "slips per site since the start"),
    "band": ("", "shear band: 0 none, 1 normal to y, 2 normal to x (orientation pure: diagonals)"),
    "across": ("", "the more localised profile, 1 or 2; it has the next three numbers"),
    "position": ("sites", "where it is largest, along its normal"),
    "width": ("sites", "its width w"),
    "localisation": ("", "period of the lattice over w")}
PROFILE = {"strain": ("", "strain"), "x": ("sites", "distance from the band"), "activity": ("", "slips per site")}
ROWS = {
    "strain": ("", "strain"), "shear_stress": ("stress", "mean stress before"), "drop": ("stress", "drop of the mean stress"),
    "slips": ("", "number of slips"), "steps": ("", "number of synchronous steps")}
BESIDE = {"strain": ("", "strain"), "shear_stress": ("stress", "mean stress of the stage that is put beside")}
DROPS = log_edges(-16, 4)


def whole_edges() -> NDArray[np.int64]:
    """Whole numbers from which the bins of the numbers of slips begin.

    10^(k/10) rounded up, so that a bin [a, b) has b - a of them.
    """
    return np.unique(np.ceil(log_edges(0, 14) * (1 - 1e-12)).astype(np.int64))


SLIPS = whole_edges()


class LatticeRecord:
    """Tables, fields and histograms of one loading.

    Parameters
    ----------
    scalars : of an interrupted run
    """

    def __init__(self, context: Context, params: EpmParams, lattice: Lattice, scalars: dict[str, Any] | None) -> None:
        self.context, self.params, self.lattice = context, params, lattice
        self.loading, self.activity = context.table("loading", **LOADING), context.table("activity", **ACTIVITY)
        self.profile, self.rows = context.table("band_profile", **PROFILE), context.table("avalanches", **ROWS)
        kept = scalars or {}
        windows = len(params.windows) + 1
        self.slips, self.drops = np.zeros((windows, len(SLIPS) - 1)), np.zeros((windows, len(DROPS) - 1))
        for name, histogram in (("slips", self.slips), ("drops", self.drops)):
            before = np.asarray(kept.get(f"{name} histogram", histogram)).reshape(-1, histogram.shape[1])
            histogram[: len(before)] = before       # a longer loading may have more windows
        self.kept_at: list[float] = np.atleast_1d(kept.get("kept at", [])).tolist()     # of fields_at
        self.peak = (float(kept.get("peak stress", 0.0)), float(kept.get("peak strain", 0.0)))
        self.first = float(kept.get("first avalanche", np.nan))
        self.records = int(kept.get("records", 0))
        self.last = float(kept.get("last strain", 0.0))
        self.note = ""

    @property
    def scalars(self) -> dict[str, Any]:
        """What `__init__` takes to go on."""
        return {"slips histogram": self.slips, "drops histogram": self.drops,
                "kept at": np.array(self.kept_at, dtype=np.float64), "peak stress": self.peak[0], "peak strain": self.peak[1],
                "first avalanche": self.first, "records": self.records, "last strain": self.last}

    # ------------------------------------------------------------------ avalanches

    def avalanches(self, found: Avalanches, walk: Walk) -> None:
        """Count avalanches of the present leg."""
        if not len(found.strain):
            return
        leg, before = walk.path[walk.leg], sum(abs(leg.step) * leg.steps for leg in walk.path[: walk.leg])
        window = np.searchsorted(self.params.windows, before + np.abs(found.strain - leg.start), side="right")
        for k in np.unique(window):
            here = window == k
            self.slips[k] += np.histogram(found.slips[here], SLIPS)[0]
            self.drops[k] += log_histogram(np.abs(found.drop[here]), DROPS)
        if np.isnan(self.first):
            self.first = float(found.strain[0])
        left = max(0, self.params.avalanche_rows - int(self.lattice.avalanches - len(found.strain)))
        for row in zip(*found, strict=True) if left else ():
            if not left:
                break
            self.rows.append(**dict(zip(ROWS, map(float, row), strict=True)))
            left -= 1

    # ------------------------------------------------------------------ records

    def row(self, covered: float) -> None:
        """The state at a strain that is recorded. Collective."""
        lattice, seen = self.lattice, self.lattice.observables()
        values = {name: float(seen[NAMES.get(name, name)]) for name in LOADING if name != "covered"}
        self.loading.append(**values, covered=covered)
        if values["shear_stress"] > self.peak[0]:
            self.peak = values["shear_stress"], values["strain"]
        band, profiles, period = self._band()
        strain = values["strain"]
        reached = [wanted for wanted in self.params.fields_at if wanted not in self.kept_at and self._reached(wanted, strain)]
        if reached:
            self.kept_at += reached
            self.context.grid(self.records, strain, lattice.first_row + np.arange(lattice.rows), stress=lattice.stress_field(),
                              plastic_strain=lattice.plastic_strain_field(), events=lattice.event_field(),
                              threshold=lattice.threshold_field())
            for x, activity in zip(*bands.centred(profiles[band.across - 1], band.position, period), strict=True):
                self.profile.append(strain=strain, x=x, activity=activity)
        self.records, self.last = self.records + 1, strain
        self.note = f"strain {strain:.4g}, stress {values['shear_stress']:.4g}, {lattice.avalanches} avalanches"

    def _reached(self, wanted: float, strain: float) -> bool:
        """Whether the record at `strain` is the first one that has come to a wanted strain, up to rounding."""
        close = 1e-6 * self.params.record_every
        low, high = sorted((self.last, strain))
        return low - close <= wanted <= high + close

    def _band(self) -> tuple[bands.Band, list[Floats], float]:
        """Band in the numbers of events, the two profiles, and their period. Collective."""
        lattice, size = self.lattice, self.lattice.size
        events = np.asarray(lattice.event_field(), dtype=np.float64)
        y, x = lattice.first_row + np.arange(lattice.rows)[:, None], np.arange(size)
        if self.params.orientation == "simple":
            lines, period = (np.broadcast_to(y, events.shape), np.broadcast_to(x, events.shape)), float(size)
        else:                       # bands along the diagonals
            lines, period = ((y - x) % size, (x + y) % size), size / 2**0.5
        sums = [np.bincount(line.ravel(), events.ravel(), size) for line in lines]       # whole numbers: exact in any order
        counts = total(lattice.comm, np.array([*sums, np.full(size, (events > 0).sum())]))
        profiles = counts[:2] / size
        found = bands.band(list(profiles), [period, period])
        self.activity.append(strain=lattice.strain, ever_active=counts[2, 0] / size**2, events=counts[0].sum() / size**2,
                             band=found.orientation, across=found.across, position=found.position, width=found.width,
                             localisation=found.localisation)
        return found, list(profiles), period

    # ------------------------------------------------------------------ the end

    def beside(self, label: str) -> None:
        """Store the loading curve of an earlier stage. Collective."""
        earlier = self.context.earlier(label)
        curve, table = earlier.table("loading"), self.context.table("beside", **BESIDE)
        earlier.close()
        for strain, stress in zip(curve["strain"], curve["shear_stress"], strict=True):
            table.append(strain=float(strain), shear_stress=float(stress))
        top = int(np.argmax(curve["shear_stress"]))
        self.context.result("beside_peak_stress", float(curve["shear_stress"][top]), "stress", f"largest stress of stage {label}")
        self.context.result("beside_peak_strain", float(curve["strain"][top]), "", "its strain")

    def finish(self) -> None:
        """Histograms and numbers."""
        context, lattice = self.context, self.lattice
        edges = [0.0, *self.params.windows, np.inf]
        window = {"window_start": ("", "window of strain: from"), "window_end": ("", "window of strain: to")}
        slips = context.table("avalanche_slips", **window, slips=("", "number of slips S, geometric mean of a bin's ends"),
                              first=("", "smallest S of the bin"), whole=("", "how many whole numbers are in the bin"),
                              count=("", "avalanches"), density=("", "P(S)"))
        drops = context.table("avalanche_drops", **window, drop=("stress", "stress drop, geometric mean of a bin's ends"),
                              count=("", "avalanches"), density=("1/stress", "P(drop)"))
        for k, (start, end) in enumerate(pairwise(edges)):
            where = {"window_start": start, "window_end": end}
            for i in np.flatnonzero(self.slips[k]):
                low, width, count = int(SLIPS[i]), int(SLIPS[i + 1] - SLIPS[i]), self.slips[k, i]
                slips.append(**where, slips=(low * (low + width - 1)) ** 0.5, first=low, whole=width, count=count,
                             density=count / (width * self.slips[k].sum()))
            for i in np.flatnonzero(self.drops[k]):
                drops.append(**where, drop=(DROPS[i] * DROPS[i + 1]) ** 0.5, count=self.drops[k, i],
                             density=self.drops[k, i] / ((DROPS[i + 1] - DROPS[i]) * self.drops[k].sum()))
        put = context.result
        put("sites", lattice.size**2, "", "number of sites, L x L")
        put("avalanches_total", lattice.avalanches, "", "number of avalanches")
        put("slips_total", lattice.slips, "", "number of slips")
        put("first_avalanche", self.first, "", "strain of the first avalanche")
        put("peak_stress", self.peak[0], "stress", "largest recorded stress")
        put("peak_strain", self.peak[1], "", "strain of the largest recorded stress")
        context.log(f"epm: {lattice.avalanches} avalanches with {lattice.slips} slips on {lattice.size} x {lattice.size} sites; "
                    f"largest stress {self.peak[0]:.4g} at strain {self.peak[1]:.4g}")
