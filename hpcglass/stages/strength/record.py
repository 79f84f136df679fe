"""What a stage `strength` leaves: a row for each site and block, fields of particles, all trials, and means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.cavity import frozen
from hpcglass.cavity.blocks import Blocks
from hpcglass.cavity.bulk import moduli
from hpcglass.cavity.directions import direction
from hpcglass.cavity.strength import Cavities, Method, Strength, on_particles
from hpcglass.geometries.periodic import AXES
from hpcglass.landscape.forces import evaluate
from hpcglass.stages.base import Context

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.stages.strength.params import StrengthParams

Floats = NDArray[np.float64]
STRESS = "energy/length^d"
WHICH = {"strain": ("", "strain of the frame; 0 for the stage's configuration")}
VALUES = {
    "delta_tau_y": (STRESS, "residual strength under the loading"),
    "sigma_y": (STRESS, "stress at the first maximum, loaded along the loading itself"),
    "threshold": (STRESS, "yield stress under the loading: stress + residual strength"),
    "delta_tau_y_backward": (STRESS, "residual strength under the opposite loading"),
    "sigma_y_backward": (STRESS, "minus the stress at the first maximum, loaded the opposite way")}
SITE = {
    "stress": (STRESS, "stress of the patch along the loading"),
    "modulus": (STRESS, "shear modulus of the patch along the loading"),
    "gamma_c": ("", "strain of the first maximum, loaded along the loading itself"),
    "irregular": ("", "trials without a regular first maximum")}
BLOCK = {"particles": ("", "particles"), "stress": (STRESS, "stress along the loading, from virials"),
         "modulus": (STRESS, "mean modulus of the patches around the block, times the sample's over the mean of all")}
FRAME = {
    "stress": (STRESS, "stress of the sample along the loading"),
    "shear_modulus": (STRESS, "shear modulus of the sample in the plane"),
    "bulk_modulus": (STRESS, "bulk modulus of the sample"),
    "delta_sigma": (STRESS, "standard deviation of the stress of blocks"),
    "patch_stress_std": (STRESS, "standard deviation of the stress of patches"),
    "patch_modulus": (STRESS, "mean shear modulus of the patches: a wall around them makes it larger than the sample's"),
    "discarded": ("", "share of trials without a maximum"), "irregular": ("", "share of trials without a regular first maximum")}


class StrengthRecord:
    """Tables and fields of all configurations of a stage."""

    def __init__(self, context: Context, params: StrengthParams, dimension: int, frames: int) -> None:
        self.context, self.params, self.frames = context, params, frames
        self.plane = params.plane_in_order
        self.names = [name for name in VALUES if params.backward or not name.endswith("backward")]
        place = {AXES[k]: ("length", f"{AXES[k]} of the centre") for k in range(dimension)}
        values = {name: VALUES[name] for name in self.names}
        self.site_columns = {**WHICH, **place, **values, **SITE}
        over = {name: (units, f"mean over particles: {text}") for name, (units, text) in values.items()}
        self.block_columns = {**WHICH, **place, **over, **BLOCK}
        means = {f"{what}_{name}": (units, f"{'mean' if what == 'mean' else 'standard deviation'} over blocks: {text}")
                 for name, (units, text) in values.items() for what in ("mean", "std")}
        self.sites, self.blocks = context.table("sites", **self.site_columns), context.table("blocks", **self.block_columns)
        self.summary_columns = {**WHICH, **means, **FRAME}
        self.summary = context.table("strength", **self.summary_columns)

    def add(self, number: int, strain: float, glass: System, cavities: Cavities, method: Method, values: Floats) -> None:
        """Write down one configuration. Collective."""
        found = Strength(cavities.centres, method.directions, method.columns, values, method.memory.counts)
        seen = self._seen(found)
        for site, centre in enumerate(found.sites):
            self.sites.append(strain=strain, **place(centre), **{name: finite(column[site]) for name, column in seen.items()})
        means = self._fields(number, glass, cavities, seen)
        self._summarise(strain, glass, cavities, found, seen, means)
        if self.params.trials:
            self._keep(found, strain)

    def _seen(self, found: Strength) -> dict[str, Floats]:
        """The columns of `sites` but their places, (s,) each."""
        loading, plane = self.params.loading, self.plane
        stress, modulus, gamma_c, forward = self._along(found, 1.0)
        residual = found.residual(loading, plane)
        columns = {"delta_tau_y": residual, "sigma_y": forward, "threshold": stress + residual}
        if self.params.backward:
            columns["delta_tau_y_backward"] = found.residual(loading + 90.0, plane)
            columns["sigma_y_backward"] = self._along(found, -1.0)[3]
        irregular = np.isin(found.flag, frozen.IRREGULAR).sum(axis=1).astype(np.float64)
        return {**columns, "stress": stress, "modulus": modulus, "gamma_c": gamma_c, "irregular": irregular}

    def _fields(self, number: int, glass: System, cavities: Cavities, seen: dict[str, Floats]
                ) -> tuple[Blocks, dict[str, Floats]]:
        """Store the fields of particles; the blocks, and the means of these fields over their particles. Collective."""
        blocks, means = Blocks(glass, self.params.xi), {}
        for name in self.names:
            units, text = VALUES[name]
            lowest = on_particles(glass, cavities.centres, np.where(np.isnan(seen[name]), np.inf, seen[name]), cavities.free)
            field = np.where(np.isfinite(lowest), lowest, np.nan)
            means[name] = blocks.mean(field)
            text = f"{text}: the lowest of the sites closer than {cavities.free:g}"
            if self.frames == 1:
                self.context.field(name, field, units, text, of=glass)
            else:
                self.context.field_column(name, number, field, units, text, of=glass)
        return blocks, means

    def _summarise(self, strain: float, glass: System, cavities: Cavities, found: Strength, seen: dict[str, Floats],
                   coarse: tuple[Blocks, dict[str, Floats]]) -> None:
        """Rows of the blocks, and one of the whole. Collective."""
        blocks, means = coarse
        along = direction(glass.dimension, self.plane, self.params.loading)
        bulk, modulus = moduli(glass), seen["modulus"]
        shear = bulk.shear(AXES.index(self.plane[0]), AXES.index(self.plane[1]))
        local = blocks.near(found.sites, modulus, cavities.free) * (shear / spread(modulus, "mean"))
        virial = blocks.stress(along)
        for block, centre in enumerate(blocks.centres):
            self.blocks.append(strain=strain, **place(centre), **{name: float(column[block]) for name, column in means.items()},
                               particles=float(blocks.particles[block]), stress=float(virial[block]), modulus=float(local[block]))
        trials = float((~np.isnan(found.flag)).sum())
        spreads = {f"{what}_{name}": spread(column, what) for name, column in means.items() for what in ("mean", "std")}
        self.summary.append(
            strain=strain, **spreads, stress=float(np.einsum("ab,ab->", evaluate(glass).stress, along)), shear_modulus=shear,
            bulk_modulus=bulk.bulk, delta_sigma=float(virial.std()), patch_stress_std=spread(seen["stress"], "std"),
            patch_modulus=spread(modulus, "mean"),
            discarded=float((found.flag == frozen.ENDLESS).sum() / trials), irregular=float(seen["irregular"].sum() / trials))

    def _along(self, found: Strength, sense: float) -> tuple[Floats, Floats, Floats, Floats]:
        """(s,) stress, modulus, gamma_c, stress at the maximum, of the direction that is the loading; NaN if there is none."""
        cosine = found.directions.resolved(self.plane, self.params.loading + (0.0 if sense > 0 else 90.0))
        k = int(np.argmax(cosine))
        if cosine[k] < 1.0 - 1e-9:
            nothing = np.full(len(found.sites), np.nan)
            return nothing, nothing, nothing, nothing
        return sense * found.tau_0[:, k], found.modulus[:, k], found.gamma_c[:, k], found.tau_c[:, k]

    def _keep(self, found: Strength, strain: float) -> None:
        """All trials, a row for each."""
        columns = {**WHICH, "site": ("", "number of the site"), "plane": ("", "plane of the shear: 0 xy, 1 xz, 2 yz"),
                   "angle": ("degrees", "direction alpha"), "tau_0": (STRESS, "stress at zero strain"),
                   "tau_c": (STRESS, "stress at the first maximum"), "gamma_c": ("", "its strain"),
                   "modulus": (STRESS, "shear modulus"),
                   "flag": ("", "; ".join(f"{k} {text}" for k, text in frozen.FLAGS.items()))}
        if "second" in found.columns:
            columns |= {"second": (STRESS, "second derivative of the stress"),
                        "third": (STRESS, "third derivative of the stress")}
        table = self.context.table("trials", **columns)
        labels = [(("xy", "xz", "yz").index(plane), angle) for plane, angle in found.directions.labels]
        names = [name for name in columns if name in found.columns]
        for site, k in np.argwhere(~np.isnan(found.flag)).tolist():
            row: dict[str, Any] = {name: finite(found.values[site, k, found.columns.index(name)]) for name in names}
            table.append(strain=strain, site=float(site), plane=float(labels[k][0]), angle=float(labels[k][1]), **row)

    def finish(self) -> None:
        """A line for the log."""
        of_them = f" of {self.frames} frames" if self.frames > 1 else ""
        self.context.log(f"strength: {self.params.method}{of_them}; field of particles and blocks of {self.params.xi:g}")


def place(centre: Floats) -> dict[str, float]:
    """Coordinates by the names of their axes."""
    return {axis: float(x) for axis, x in zip(AXES, centre, strict=False)}


def finite(value: float) -> float:
    """NaN for what is infinite: tables have no other word for nothing."""
    return float(value) if np.isfinite(value) else float("nan")


def spread(values: Floats, what: str) -> float:
    """Mean or standard deviation of what is finite."""
    good = values[np.isfinite(values)]
    return float("nan") if not good.size else float(good.mean() if what == "mean" else good.std())
