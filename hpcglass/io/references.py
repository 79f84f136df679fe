"""Literature of the methods that a run used, as BibTeX."""

from __future__ import annotations

from pathlib import Path

_ENTRIES = {
    "ninarello2017": ("article", "Ninarello, Andrea and Berthier, Ludovic and Coslovich, Daniele",
                      "Models and Algorithms for the Next Generation of Glass Transition Studies",
                      "Phys. Rev. X", "7", "021039", "2017", "10.1103/PhysRevX.7.021039"),
    "lerner2019": ("article", "Lerner, Edan", "Mechanical properties of simple computer glasses",
                   "J. Non-Cryst. Solids", "522", "119570", "2019", "10.1016/j.jnoncrysol.2019.119570"),
    "kob1995": ("article", "Kob, Walter and Andersen, Hans C.",
                "Testing mode-coupling theory for a supercooled binary Lennard-Jones mixture I: The van Hove correlation function",
                "Phys. Rev. E", "51", "4626", "1995", "10.1103/PhysRevE.51.4626"),
    "ohern2003": ("article", "O'Hern, Corey S. and Silbert, Leonardo E. and Liu, Andrea J. and Nagel, Sidney R.",
                  "Jamming at zero temperature and zero applied stress: The epitome of disorder",
                  "Phys. Rev. E", "68", "011306", "2003", "10.1103/PhysRevE.68.011306"),
    "salmon2011": ("inproceedings", "Salmon, John K. and Moraes, Mark A. and Dror, Ron O. and Shaw, David E.",
                   "Parallel random numbers: as easy as 1, 2, 3", "Proc. SC11", "", "16", "2011", "10.1145/2063384.2063405"),
    "rugh1997": ("article", "Rugh, Hans Henrik", "Dynamical Approach to Temperature",
                 "Phys. Rev. Lett.", "78", "772", "1997", "10.1103/PhysRevLett.78.772"),
    "butler1998": ("article", "Butler, B. D. and Ayton, Gary and Jepps, Owen G. and Evans, Denis J.",
                   "Configurational temperature: Verification of Monte Carlo simulations",
                   "J. Chem. Phys.", "109", "6519", "1998", "10.1063/1.477301"),
    "bitzek2006": ("article", "Bitzek, Erik and Koskinen, Pekka and G{\\\"a}hler, Franz and Moseler, Michael and Gumbsch, Peter",
                   "Structural Relaxation Made Simple", "Phys. Rev. Lett.", "97", "170201", "2006", "10.1103/PhysRevLett.97.170201"),
    "guenole2020": ("article", "Gu{\\'e}nol{\\'e}, Julien and N{\\\"o}hring, Wolfram G. and Vaid, Aviral and Houll{\\'e}, Fr{\\'e}d{\\'e}ric "
                    "and Xie, Zhuocheng and Prakash, Aruna and Bitzek, Erik",
                    "Assessment and optimization of the fast inertial relaxation engine (FIRE) for energy minimization in atomistic "
                    "simulations and its implementation in LAMMPS", "Comput. Mater. Sci.", "175", "109584", "2020",
                    "10.1016/j.commatsci.2020.109584"),
    "hager2006": ("article", "Hager, William W. and Zhang, Hongchao", "A survey of nonlinear conjugate gradient methods",
                  "Pacific J. Optim.", "2", "35", "2006", ""),
    "maloney2006": ("article", "Maloney, Craig E. and Lema{\\^i}tre, Ana{\\\"e}l", "Amorphous systems in athermal, quasistatic shear",
                    "Phys. Rev. E", "74", "016118", "2006", "10.1103/PhysRevE.74.016118"),
    "falk1998": ("article", "Falk, M. L. and Langer, J. S.", "Dynamics of viscoplastic deformation in amorphous solids",
                 "Phys. Rev. E", "57", "7192", "1998", "10.1103/PhysRevE.57.7192"),
    "swope1982": ("article", "Swope, William C. and Andersen, Hans C. and Berens, Peter H. and Wilson, Kent R.",
                  "A computer simulation method for the calculation of equilibrium constants for the formation of physical clusters of "
                  "molecules: Application to small water clusters", "J. Chem. Phys.", "76", "637", "1982", "10.1063/1.442716"),
    "nose1984": ("article", "Nos{\\'e}, Shuichi", "A unified formulation of the constant temperature molecular dynamics methods",
                 "J. Chem. Phys.", "81", "511", "1984", "10.1063/1.447334"),
    "hoover1985": ("article", "Hoover, William G.", "Canonical dynamics: Equilibrium phase-space distributions",
                   "Phys. Rev. A", "31", "1695", "1985", "10.1103/PhysRevA.31.1695"),
    "leimkuhler2013": ("article", "Leimkuhler, Benedict and Matthews, Charles",
                       "Rational Construction of Stochastic Numerical Methods for Molecular Sampling",
                       "Appl. Math. Res. Express", "2013", "34", "2013", "10.1093/amrx/abs010"),
    "debuyl2014": ("article", "de Buyl, Pierre and Colberg, Peter H. and H{\\\"o}fling, Felix",
                   "H5MD: A structured, efficient, and portable file format for molecular data",
                   "Comput. Phys. Commun.", "185", "1546", "2014", "10.1016/j.cpc.2014.01.018"),
}


def check(keys: tuple[str, ...]) -> None:
    """Raise ValueError if a key is not in the table."""
    unknown = [key for key in keys if key not in _ENTRIES]
    if unknown:
        raise ValueError(f"no such reference: {', '.join(unknown)}; add it to {__name__}")


def bibtex(keys: set[str]) -> str:
    """The entries, sorted by key."""
    return "\n".join(_entry(key) for key in sorted(keys))


def _entry(key: str) -> str:
    kind, author, title, where, volume, pages, year, doi = _ENTRIES[key]
    place = "booktitle" if kind == "inproceedings" else "journal"
    fields = {"author": author, "title": f"{{{title}}}", place: where, "volume": volume, "pages": pages, "year": year, "doi": doi}
    lines = [f"  {name} = {{{text}}}" for name, text in fields.items() if text]
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}\n"


def keys_in(path: Path) -> set[str]:
    """Keys that a references.bib already has, so that a resumed run adds to them."""
    if not path.exists():
        return set()
    heads = (line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("@"))
    return {line.partition("{")[2].rstrip(",") for line in heads} & _ENTRIES.keys()
