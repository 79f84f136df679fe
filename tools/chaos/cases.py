"""Small runs that go through all stages, each in a few seconds, for programs that kill and stop them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIQUID = """
seed = {seed}
[system]
model = "ipl12"
dimension = 2
particles = 400
"""
SMALL = LIQUID.replace("400", "200")


@dataclass(frozen=True)
class Case:
    """A run.

    stages : what its input says after the seed
    exact : the same bits on several ranks; else only to round-off, as the factors of MUMPS are
    ranks : numbers of ranks it is run on
    """

    text: str
    exact: bool = True
    ranks: tuple[int, ...] = (1, 2, 4)

    @property
    def stems(self) -> list[str]:
        """Of the files of its stages; none if they are in directories of samples or tasks."""
        stages = tomllib.loads(self.text.replace("{seed}", "1"))
        if "ensemble" in stages or "sweep" in stages:
            return []
        return [f"{k:02d}-{stage.get('label', stage['kind'])}" for k, stage in enumerate(stages["stage"])]

    def write(self, path: Path, seed: int) -> Path:
        path.write_text(self.text.replace("{seed}", str(seed)), encoding="utf-8")
        return path


CASES = {
    "equilibrate": Case(LIQUID + """
[[stage]]
kind = "swap"
temperature = 0.3
sweeps = 200
warmup = 20
sub_sweeps = 10
frames = 3
[[stage]]
kind = "md"
temperature = 0.3
temperature_end = 0.2
time = 0.6
thermostat = "langevin"
measure_every = 30
frames = 3
[[stage]]
kind = "md"
label = "nose"
temperature = 0.2
time = 0.4
[[stage]]
kind = "quench"
force_tolerance = 1e-9
"""),
    "pressure": Case(SMALL + """
[[stage]]
kind = "quench"
algorithm = "fire"
pressure = 12.0
force_tolerance = 1e-7
pressure_tolerance = 1e-6
"""),
    "flow": Case(SMALL + """
[[stage]]
kind = "quench"
[[stage]]
kind = "shear"
label = "branch"
method = "branch"
strain_step = 1e-3
max_strain = 0.04
locate = true
reverse = true
reverse_strain = 0.005
frames_every = 4
activity_every = 0.01
[[stage]]
kind = "shear"
label = "cycle"
method = "fire"
strain_step = 4e-3
max_strain = 0.02
cycles = 1
adaptive = true
smallest_step = 1e-3
"""),
    "questions": Case(SMALL + """
[[stage]]
kind = "quench"
[[stage]]
kind = "expand"
bonds = true
compare = 2e-3
compare_steps = 20
[[stage]]
kind = "modes"
count = 10
[[stage]]
kind = "bonds"
count = 5
pseudo_harmonic = 3
dipoles = 2
""", exact=False),
    "annulus": Case("""
seed = {seed}
[system]
model = "ipl12"
dimension = 2
density = 1.0
r_in = 0.65
r_out = 9.0
[[stage]]
kind = "swap"
temperature = 0.4
sweeps = 40
warmup = 10
[[stage]]
kind = "quench"
[[stage]]
kind = "inflate"
fraction = [0.1, 0.2]
steps = 3
""", ranks=(1, 2)),
    "lattice": Case("""
seed = {seed}
[[stage]]
kind = "epm"
size = 24
shear_modulus = 20.0
initial = { distribution = "normal", mean = 2.0, cv = 0.3 }
renewal = { distribution = "weibull", mean = 1.6, cv = 0.4 }
slip = { c0 = 0.03, c1 = 0.01 }
internal_stress = 0.1
max_strain = 0.5
record_every = 5e-3
fields_at = [0.1, 0.3, 0.5]
[[stage]]
kind = "calibrate"
fit = "c0_c1"
target = { plateau = 0.55, plateau_error = 0.01, peak = 0.75, peak_error = 0.02 }
size = 8
shear_modulus = 19.0
bulk_modulus = 55.0
initial = { distribution = "weibull", mean = 1.65, cv = 0.3 }
internal_stress = 0.175
max_strain = 1.0
plateau_from = 0.4
accuracy = 0.1
most_samples = 32
"""),
    "ensemble": Case(SMALL + """
[[stage]]
kind = "swap"
temperature = 0.4
sweeps = 60
warmup = 10
[[stage]]
kind = "quench"
[ensemble]
samples = 4
ranks_per_sample = 1
"""),
    "sweep": Case(SMALL + """
[[stage]]
kind = "swap"
temperature = "$T"
sweeps = 60
warmup = 10
[[stage]]
kind = "quench"
[parameters]
T = 0.3
[sweep]
T = [0.3, 0.5, 0.8]
""", ranks=(1, 2)),
}
