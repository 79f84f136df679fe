"""Names and numbers of a file's species as those of a model: one place, and what contradicts is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpcglass.config import ModelParams
from hpcglass.errors import FileError, InputError
from hpcglass.io.formats.common import Configuration
from hpcglass.io.formats.readers.kinds import diameters, known_order, numbered
from hpcglass.io.formats.species import assign, check_members, check_shares
from hpcglass.potentials.library import MODELS

FILE = Path("glass.xyz")
BINARY = MODELS["lj-binary"]
TRUTH = np.array([0] * 55 + [1] * 45, dtype=np.int32)       # S and L in the shares of the model


def mixture(*words, sizes=False, declared=(), order=None):
    """A file that calls the particles of `TRUTH` by two words."""
    kinds = numbered([words[k] for k in TRUTH], declared)
    found = Configuration(np.zeros((100, 2)), np.eye(2), np.array(BINARY.sizes.diameters)[TRUTH] if sizes else None)
    if kinds is not None:
        found.species, found.names, found.ordered = kinds
    return found


@pytest.mark.parametrize(("words", "options", "said"), [
    (("S", "L"), {}, "by the names: S is S (55), L is L (45)"),
    (("s", "l"), {}, "by the names"), (("small", "Large"), {}, "by the names"),
    (("S", "L"), {"declared": ["L", "S"]}, "by the names"),     # the names say more than their order
    (("A", "B"), {}, "in the usual order of the names: A is S (55), B is L (45)"),
    (("H", "He"), {}, "in the usual order of the names"),       # what our exports call species 0 and 1
    (("0", "1"), {}, "by number, counted from 0: 0 is S (55), 1 is L (45)"),
    (("1", "2"), {}, "by number, counted from 1: 1 is S (55), 2 is L (45)"),
    (("Zr", "Cu"), {"declared": ["Zr", "Cu"]}, "in the order of the file: Zr is S (55), Cu is L (45)"),
    (("Zr", "Cu"), {"sizes": True}, "by their diameters: Cu is L (45), Zr is S (55)"),
    (("X", "X"), {"sizes": True}, "species by their diameters: S (55), L (45)"),
    (("1", "2"), {"sizes": True}, "counted from 1"),
])
def test_species_are_found(words, options, said):
    found = assign(mixture(*words, **options), BINARY, FILE)
    np.testing.assert_array_equal(found.species, TRUTH)
    np.testing.assert_array_equal(found.diameter, np.array(BINARY.sizes.diameters)[TRUTH])
    assert said in found.said[0]


@pytest.mark.parametrize(("words", "options", "message"), [
    (("Zr", "Cu"), {}, r"Cu \(45\), Zr \(55\); .*the names do not tell which is which; rename them"),
    (("S", "B"), {}, "not each of these names is one of the model's"),
    (("0", "2"), {}, "must count from 0 or 1 and end with the last species"),
    (("L", "S"), {"sizes": True}, "particle 0 has the diameter 0.618034, but is of species L of lj-binary, which has 1.17557"),
    (("2", "1"), {"sizes": True}, "particle 0 has the diameter 0.618034, but is of species L"),
    (("B", "A"), {"sizes": True}, "particle 0 has the diameter 0.618034, but is of species L"),
])
def test_what_contradicts_or_does_not_tell_is_refused(words, options, message):
    with pytest.raises(InputError, match=message):
        assign(mixture(*words, **options), BINARY, FILE)


def three(fractions):
    return ModelParams.model_validate({"beta": 12, "q": 2, "x_c": 1.25, "sizes": {
        "fractions": fractions, "diameters": [1.0, 1.2, 1.4], "names": ["A", "B", "C"]}}).build()


def test_a_single_species_of_several():
    """One that is alone in the file comes out as itself: by its name, or as its number can only be meant."""
    for words, model, right in ((("C",), three([0.0, 0.0, 1.0]), 2), (("c",), three([0.0, 0.0, 1.0]), 2),
                                (("3",), three([0.0, 0.0, 1.0]), 2), (("2",), three([0.0, 0.0, 1.0]), 2),
                                (("1",), three([0.0, 1.0, 0.0]), 1), (("0",), three([1.0, 0.0, 0.0]), 0)):
        found = Configuration(np.zeros((10, 2)), np.eye(2))
        found.species, found.names, found.ordered = numbered(list(words) * 10)
        assert set(assign(found, model, FILE).species) == {right}, words
    few = Configuration(np.zeros((2, 2)), np.eye(2), species=np.zeros(2, dtype=np.int32), names=("1",), ordered=False)
    with pytest.raises(InputError, match=r"can be counted from 0 or from 1, and custom .* allows both: name them"):
        assign(few, three([0.4, 0.4, 0.2]), FILE)


def test_numbers_are_sorted_as_numbers():
    species, names, ordered = numbered(["10", "2", "1", "2"])
    assert names == ("1", "2", "10") and species.tolist() == [2, 1, 0, 1] and not ordered
    assert numbered(["X", "X"]) is None
    assert known_order(["L", "S"]) == (1, 0) and known_order(["Ni", "P"]) is None


def test_more_species_than_the_model_has():
    found = Configuration(np.zeros((3, 2)), np.eye(2), species=np.arange(3, dtype=np.int32), names=("1", "2", "3"))
    with pytest.raises(InputError, match="these are more"):
        assign(found, BINARY, FILE)


def test_shares_of_another_mixture_are_refused_and_chance_is_not():
    """The false-alarm rate of a mixture drawn at random is below 10^-6."""
    sizes = BINARY.sizes
    for counts in ([55, 45], [60, 40], [50, 50], [55_280, 44_720], [55_400, 44_600], [1, 1]):
        check_shares(sizes, counts, "lj-binary", FILE)
    for counts in ([90, 10], [100, 0], [44_720, 55_280], [500, 500, 20], [4472, 5528]):
        with pytest.raises(InputError, match="of species"):
            check_shares(sizes, counts, "lj-binary", FILE)


def test_members_are_checked_by_their_ids():
    ids = np.array([7, 9])
    check_members(MODELS["ipl12"], np.zeros(2, np.int32), np.array([0.73, 1.6]), FILE, ids)
    for model, species, diameter, message in (("ipl12", [0, 0], [0.73, 16], "particle 9 has the diameter 16"),
                                              ("ipl12", [0, 1], [0.73, 1], "particle 9 is of species 1, ipl12 has 1"),
                                              ("harmonic", [0, 2], [1, 1.4], "particle 9 is of species 2, harmonic has 2"),
                                              ("harmonic", [1, 1], [1, 1.4], "particle 7 has the diameter 1, but is of")):
        with pytest.raises(InputError, match=message):
            check_members(MODELS[model], np.array(species, np.int32), np.array(diameter, float), FILE, ids)


def test_species_that_a_model_has_not_are_named():
    found = mixture("A", "B")
    found.diameter = np.linspace(0.73, 1.6, 100)
    assert assign(found, MODELS["ipl12"], FILE).said[0] == "species A (55), B (45) are not used: ipl12 has none"
    found.species, found.names = np.arange(100, dtype=np.int32), tuple(map(str, range(100)))
    assert "7 (1), ... (100 in all) are not used" in assign(found, MODELS["ipl12"], FILE).said[0]


def test_columns_of_sizes_must_agree():
    d, notes = diameters({"radius": np.array([0.5, 0.7]), "diameter": np.array([1.0, 1.4])}, FILE)
    assert d.tolist() == [1.0, 1.4] and notes == []
    with pytest.raises(FileError, match=r"particle 1 has a diameter of 1.4 and a radius of 0.6"):
        diameters({"radius": np.array([0.5, 0.6]), "diameter": np.array([1.0, 1.4])}, FILE)


def test_names_of_a_model_of_ones_own():
    sizes = {"fractions": [0.5, 0.5], "diameters": [1.0, 1.4]}
    assert three([0.2, 0.3, 0.5]).sizes.name(2) == "C"
    for names in (["A"], ["A", "a"], ["A", "B", "C"]):
        with pytest.raises(ValueError, match="names must be as many as fractions, each of them another"):
            ModelParams.model_validate({"beta": 12, "q": 2, "x_c": 1.25, "sizes": {**sizes, "names": names}})
