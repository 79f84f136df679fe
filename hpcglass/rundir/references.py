"""Literature of the methods that a run used, as BibTeX."""

from __future__ import annotations

from pathlib import Path

from hpcglass import disk

LARGEST = 2**20     # bytes of a references.bib
_BIBTEX = r"""
@article{duane1987,
    author = {Duane, Simon and Kennedy, A. D. and Pendleton, Brian J. and Roweth, Duncan},
    title = {{Hybrid Monte Carlo}},
    journal = {Phys. Lett. B},
    volume = {195},
    pages = {216},
    year = {1987},
    doi = {10.1016/0370-2693(87)91197-X}
}

@article{ninarello2017,
    author = {Ninarello, Andrea and Berthier, Ludovic and Coslovich, Daniele},
    title = {{Models and Algorithms for the Next Generation of Glass Transition Studies}},
    journal = {Phys. Rev. X},
    volume = {7},
    pages = {021039},
    year = {2017},
    doi = {10.1103/PhysRevX.7.021039}
}

@article{lerner2019,
    author = {Lerner, Edan},
    title = {{Mechanical properties of simple computer glasses}},
    journal = {J. Non-Cryst. Solids},
    volume = {522},
    pages = {119570},
    year = {2019},
    doi = {10.1016/j.jnoncrysol.2019.119570}
}

@article{kumar2022,
    author = {Kumar, Avanish and Moshe, Michael and Procaccia, Itamar and Singh, Murari},
    title = {{Anomalous elasticity in classical glass formers}},
    journal = {Phys. Rev. E},
    volume = {106},
    pages = {015001},
    year = {2022},
    doi = {10.1103/PhysRevE.106.015001}
}

@article{barbot2018,
    author = {Barbot, Armand and Lerbinger, Matthias and Hernandez-Garcia, Anier and Garc{\'i}a-Garc{\'i}a, Reinaldo and
    Falk, Michael L. and Vandembroucq, Damien and Patinet, Sylvain},
    title = {{Local yield stress statistics in model amorphous solids}},
    journal = {Phys. Rev. E},
    volume = {97},
    pages = {033001},
    year = {2018},
    doi = {10.1103/PhysRevE.97.033001}
}

@article{patinet2016,
    author = {Patinet, Sylvain and Vandembroucq, Damien and Falk, Michael L.},
    title = {{Connecting Local Yield Stresses with Plastic Activity in Amorphous Solids}},
    journal = {Phys. Rev. Lett.},
    volume = {117},
    pages = {045501},
    year = {2016},
    doi = {10.1103/PhysRevLett.117.045501}
}

@article{kob1995,
    author = {Kob, Walter and Andersen, Hans C.},
    title = {{Testing mode-coupling theory for a supercooled binary Lennard-Jones mixture I: The van Hove correlation
    function}},
    journal = {Phys. Rev. E},
    volume = {51},
    pages = {4626},
    year = {1995},
    doi = {10.1103/PhysRevE.51.4626}
}

@article{ohern2003,
    author = {O'Hern, Corey S. and Silbert, Leonardo E. and Liu, Andrea J. and Nagel, Sidney R.},
    title = {{Jamming at zero temperature and zero applied stress: The epitome of disorder}},
    journal = {Phys. Rev. E},
    volume = {68},
    pages = {011306},
    year = {2003},
    doi = {10.1103/PhysRevE.68.011306}
}

@inproceedings{salmon2011,
    author = {Salmon, John K. and Moraes, Mark A. and Dror, Ron O. and Shaw, David E.},
    title = {{Parallel random numbers: as easy as 1, 2, 3}},
    booktitle = {Proc. SC11},
    pages = {16},
    year = {2011},
    doi = {10.1145/2063384.2063405}
}

@article{rugh1997,
    author = {Rugh, Hans Henrik},
    title = {{Dynamical Approach to Temperature}},
    journal = {Phys. Rev. Lett.},
    volume = {78},
    pages = {772},
    year = {1997},
    doi = {10.1103/PhysRevLett.78.772}
}

@article{butler1998,
    author = {Butler, B. D. and Ayton, Gary and Jepps, Owen G. and Evans, Denis J.},
    title = {{Configurational temperature: Verification of Monte Carlo simulations}},
    journal = {J. Chem. Phys.},
    volume = {109},
    pages = {6519},
    year = {1998},
    doi = {10.1063/1.477301}
}

@article{bitzek2006,
    author = {Bitzek, Erik and Koskinen, Pekka and G{\"a}hler, Franz and Moseler, Michael and Gumbsch, Peter},
    title = {{Structural Relaxation Made Simple}},
    journal = {Phys. Rev. Lett.},
    volume = {97},
    pages = {170201},
    year = {2006},
    doi = {10.1103/PhysRevLett.97.170201}
}

@article{guenole2020,
    author = {Gu{\'e}nol{\'e}, Julien and N{\"o}hring, Wolfram G. and Vaid, Aviral and Houll{\'e}, Fr{\'e}d{\'e}ric and
    Xie, Zhuocheng and Prakash, Aruna and Bitzek, Erik},
    title = {{Assessment and optimization of the fast inertial relaxation engine (FIRE) for energy minimization in
    atomistic simulations and its implementation in LAMMPS}},
    journal = {Comput. Mater. Sci.},
    volume = {175},
    pages = {109584},
    year = {2020},
    doi = {10.1016/j.commatsci.2020.109584}
}

@article{polak1969,
    author = {Polak, E. and Ribi{\`e}re, G.},
    title = {{Note sur la convergence de m{\'e}thodes de directions conjugu{\'e}es}},
    journal = {Rev. Fr. Inform. Rech. Op{\'e}r.},
    volume = {3},
    pages = {35},
    year = {1969}
}

@article{hager2006,
    author = {Hager, William W. and Zhang, Hongchao},
    title = {{A survey of nonlinear conjugate gradient methods}},
    journal = {Pacific J. Optim.},
    volume = {2},
    pages = {35},
    year = {2006}
}

@article{nocedal1980,
    author = {Nocedal, Jorge},
    title = {{Updating quasi-Newton matrices with limited storage}},
    journal = {Math. Comp.},
    volume = {35},
    pages = {773},
    year = {1980},
    doi = {10.1090/S0025-5718-1980-0572855-7}
}

@incollection{keller1977,
    author = {Keller, Herbert B.},
    title = {{Numerical solution of bifurcation and nonlinear eigenvalue problems}},
    booktitle = {{Applications of Bifurcation Theory}},
    editor = {Rabinowitz, Paul H.},
    publisher = {Academic Press},
    address = {New York},
    pages = {359},
    year = {1977}
}

@article{maloney2006,
    author = {Maloney, Craig E. and Lema{\^i}tre, Ana{\"e}l},
    title = {{Amorphous systems in athermal, quasistatic shear}},
    journal = {Phys. Rev. E},
    volume = {74},
    pages = {016118},
    year = {2006},
    doi = {10.1103/PhysRevE.74.016118}
}

@article{falk1998,
    author = {Falk, M. L. and Langer, J. S.},
    title = {{Dynamics of viscoplastic deformation in amorphous solids}},
    journal = {Phys. Rev. E},
    volume = {57},
    pages = {7192},
    year = {1998},
    doi = {10.1103/PhysRevE.57.7192}
}

@article{hernandez2005,
    author = {Hernandez, Vicente and Roman, Jose E. and Vidal, Vicente},
    title = {{SLEPc: A scalable and flexible toolkit for the solution of eigenvalue problems}},
    journal = {ACM Trans. Math. Softw.},
    volume = {31},
    pages = {351},
    year = {2005},
    doi = {10.1145/1089014.1089019}
}

@article{tong2014,
    author = {Tong, Hua and Xu, Ning},
    title = {{Order parameter for structural heterogeneity in disordered solids}},
    journal = {Phys. Rev. E},
    volume = {90},
    pages = {010401},
    year = {2014},
    doi = {10.1103/PhysRevE.90.010401}
}

@misc{richard-expansions,
    author = {Richard, David},
    title = {{Connecting microscopic and mesoscopic mechanics in model structural glasses}}
}

@article{swope1982,
    author = {Swope, William C. and Andersen, Hans C. and Berens, Peter H. and Wilson, Kent R.},
    title = {{A computer simulation method for the calculation of equilibrium constants for the formation of physical
    clusters of molecules: Application to small water clusters}},
    journal = {J. Chem. Phys.},
    volume = {76},
    pages = {637},
    year = {1982},
    doi = {10.1063/1.442716}
}

@article{nose1984,
    author = {Nos{\'e}, Shuichi},
    title = {{A unified formulation of the constant temperature molecular dynamics methods}},
    journal = {J. Chem. Phys.},
    volume = {81},
    pages = {511},
    year = {1984},
    doi = {10.1063/1.447334}
}

@article{hoover1985,
    author = {Hoover, William G.},
    title = {{Canonical dynamics: Equilibrium phase-space distributions}},
    journal = {Phys. Rev. A},
    volume = {31},
    pages = {1695},
    year = {1985},
    doi = {10.1103/PhysRevA.31.1695}
}

@article{leimkuhler2013,
    author = {Leimkuhler, Benedict and Matthews, Charles},
    title = {{Rational Construction of Stochastic Numerical Methods for Molecular Sampling}},
    journal = {Appl. Math. Res. Express},
    volume = {2013},
    pages = {34},
    year = {2013},
    doi = {10.1093/amrx/abs010}
}

@article{debuyl2014,
    author = {de Buyl, Pierre and Colberg, Peter H. and H{\"o}fling, Felix},
    title = {{H5MD: A structured, efficient, and portable file format for molecular data}},
    journal = {Comput. Phys. Commun.},
    volume = {185},
    pages = {1546},
    year = {2014},
    doi = {10.1016/j.cpc.2014.01.018}
}

@article{giannini2021,
    author = {Giannini, Julia A. and Richard, David and Manning, M. Lisa and Lerner, Edan},
    title = {{Bond-space operator disentangles quasilocalized and phononic modes in structural glasses}},
    journal = {Phys. Rev. E},
    volume = {104},
    pages = {044905},
    year = {2021},
    doi = {10.1103/PhysRevE.104.044905}
}

@article{richard2020,
    author = {Richard, D. and Ozawa, M. and Patinet, S. and Stanifer, E. and Shang, B. and Ridout, S. A. and Xu, B. and Zhang, G.
    and Morse, P. K. and Barrat, J.-L. and Berthier, L. and Falk, M. L. and Guan, P. and Liu, A. J. and Martens, K. and Sastry, S.
    and Vandembroucq, D. and Lerner, E. and Manning, M. L.},
    title = {{Predicting plasticity in disordered solids from structural indicators}},
    journal = {Phys. Rev. Materials},
    volume = {4},
    pages = {113609},
    year = {2020},
    doi = {10.1103/PhysRevMaterials.4.113609}
}

@article{richard2021,
    author = {Richard, David and Kapteijns, Geert and Giannini, Julia A. and Manning, M. Lisa and Lerner, Edan},
    title = {{Simple and Broadly Applicable Definition of Shear Transformation Zones}},
    journal = {Phys. Rev. Lett.},
    volume = {126},
    pages = {015501},
    year = {2021},
    doi = {10.1103/PhysRevLett.126.015501}
}

@article{tyukodi2023,
    author = {Tyukodi, Botond and Barbot, Armand and Garc{\'i}a-Garc{\'i}a, Reinaldo and Lerbinger, Matthias and
    Patinet, Sylvain and Vandembroucq, Damien},
    title = {{Coarse-graining amorphous plasticity: impact of rejuvenation and disorder}},
    journal = {C. R. Phys.},
    volume = {24},
    number = {S1},
    pages = {113--131},
    year = {2023},
    doi = {10.5802/crphys.156}
}
"""


def _split(text: str) -> dict[str, str]:
    """Entries by key."""
    entries = ["@" + entry.strip() + "\n" for entry in ("\n" + text).split("\n@")[1:]]
    return {entry.partition("{")[2].partition(",")[0]: entry for entry in entries}


_ENTRIES = _split(_BIBTEX)


def check(keys: tuple[str, ...]) -> None:
    """Raise ValueError if a key is not in the table."""
    unknown = [key for key in keys if key not in _ENTRIES]
    if unknown:
        raise ValueError(f"no such reference: {', '.join(unknown)}; {__name__} has {', '.join(sorted(_ENTRIES))}")


def bibtex(keys: set[str]) -> str:
    """The entries, sorted by key."""
    return "\n".join(_ENTRIES[key] for key in sorted(keys))


def keys_in(path: Path) -> set[str]:
    """Known keys that a references.bib already has, so that a resumed run adds to them."""
    try:
        text = disk.read_bytes(path, LARGEST).decode(errors="replace")
    except OSError:
        return set()
    return _split(text).keys() & _ENTRIES.keys()
