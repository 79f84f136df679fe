"""Samples of an ensemble with numbers that are known, in files as the stages write them."""

import numpy as np
from mpi4py import MPI

from hpcglass.io import h5, provenance
from hpcglass.io.configuration import Frame, put
from hpcglass.io.contents import Contents

N = 100             # particles, in 2D: 198 modes
INPUT = """
seed = {seed}
[parameters]
T = {temperature}
[system]
model = "ipl10"
dimension = 2
particles = 100
file = "start-{seed}.h5"
[[stage]]
kind = "swap"
temperature = "$T"
[[stage]]
kind = "{kind}"
label = "soft"
{keys}
[[stage]]
kind = "md"
temperature = {seed}
"""


def write_sample(directory, tables, results=None, seed=1, kind="bonds", keys="", temperature=0.5, particles=N, name="01-soft"):
    """A stage file as a run writes it, of a cell with V = 4 N."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    side = (4 * particles) ** 0.5
    contents = Contents()
    resolved = INPUT.format(seed=seed, kind=kind, keys=keys, temperature=temperature)
    provenance.put(contents, MPI.COMM_SELF, "", resolved, seed, [])
    rows = {"position": rng.random((particles, 2)) * side, "image": np.zeros((particles, 2), dtype=np.int32),
            "diameter": np.ones(particles), "species": np.zeros(particles, dtype=np.int32)}
    put(contents, MPI.COMM_SELF, [Frame(0, 0.0, np.eye(2) * side, rows)])
    for table, columns in tables.items():
        contents.attribute(f"/results/{table}", columns="\n".join(columns))
        for column, values in columns.items():
            contents.value(f"/results/{table}/{column}", np.asarray(values, dtype=float), "energy", f"the {column}")
    for key, value in (results or {}).items():
        contents.value(f"/results/{key}", value, "energy", f"the {key}")
    h5.write(MPI.COMM_SELF, directory / f"{name}.h5", contents)
    return directory


def spectrum(values, force=0.1, displacement=0.2):
    """A table of bond modes."""
    values = np.sort(np.asarray(values, dtype=float))[::-1]
    ones = np.ones(len(values))
    return {"bond_modes": {"index": np.arange(len(values)), "eigenvalue": values, "residual": 0 * ones,
                           "participation_displacement": displacement * ones, "participation_force": force * ones}}


def soft(rng, count=198):
    """Eigenvalues with the density P = 0.3 * 2.5 x^-7/2 above 1, and others below."""
    tail = rng.binomial(count, 0.3)
    return np.append(rng.random(tail) ** (-1 / 2.5), rng.uniform(0.1, 0.99, count - tail))


def everything(directory, temperature, strength, k):
    """A sample with all tables of a bonds stage; `strength` multiplies the soft modes."""
    rng = np.random.default_rng(k)
    tail = rng.binomial(198, 0.2 * strength)
    values = np.append(rng.random(tail) ** (-1 / 2.5), rng.uniform(0.1, 0.99, 198 - tail))
    tables = spectrum(values)
    order = tables["bond_modes"]["eigenvalue"]
    tables["bond_modes"]["participation_force"] = 0.1 * np.maximum(1, 1 / order) * rng.lognormal(0, 0.2, 198)
    distance = np.geomspace(1, 8, 10)
    tables["decay"] = {"distance": distance, "D": distance**-1.0 * rng.lognormal(0, 0.1, 10), "F": distance**-6.0}
    tables["pseudo_harmonic"] = {"index": np.arange(60), "eigenvalue": order[:60], "overlap_displacement": 0.1 / order[:60],
                                 "overlap_force": 0.01 / order[:60]}
    tables["loading"] = {"strain": np.linspace(0, 0.1, 11), "shear_stress": np.linspace(0, 1, 11) + 0.01 * k}
    edges = 10.0 ** (np.arange(-20, 41) / 10)
    tails = (1, 7 / 2), (2, 11 / 6), (3, 3 / 2)
    counts = {f"count_{n}": np.histogram(rng.random(4000) ** (1 / (1 - beta)), edges)[0] for n, beta in tails}
    tables["bond_distribution"] = {"value": np.sqrt(edges[1:] * edges[:-1]), **counts}
    write_sample(directory, tables, {"frequency_unit": 2.0}, seed=k, temperature=temperature)
