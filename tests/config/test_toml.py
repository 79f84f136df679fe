"""Lines of keys, and the writer: what is written reads back equal."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcglass.config.toml import dumps, key_lines, parse
from hpcglass.errors import InputError

TEXT = '''# comment = 1
title = "a # b"            # [x]
"odd key" . inner = 1
multi = """
[no.table]
x = 1
"""
[system]
aspect = [
  1.0,   # one
  2.0,
]
point = {x = 1, y = {z = [3, 4]}}
[[stage]]
kind = 'md'
[stage.extra]
deep = 1
[[stage]]
a.b = 2

  [ other . "table" ]
last = 1
'''

EXPECTED = {
    ("title",): 2, ("odd key", "inner"): 3, ("multi",): 4, ("system",): 8, ("system", "aspect"): 9, ("system", "aspect", 0): 10,
    ("system", "aspect", 1): 11, ("system", "point"): 13, ("system", "point", "y", "z", 1): 13, ("stage", 0): 14,
    ("stage", 0, "kind"): 15, ("stage", 0, "extra"): 16, ("stage", 0, "extra", "deep"): 17, ("stage", 1): 18,
    ("stage", 1, "a", "b"): 19, ("other", "table"): 21, ("other", "table", "last"): 22,
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_key_has_the_line_it_was_written_on(newline):
    lines = key_lines(TEXT.replace("\n", newline))
    assert {path: lines.get(path) for path in EXPECTED} == EXPECTED


def test_every_leaf_of_a_valid_text_has_a_line():
    data, lines = parse(TEXT, "x.toml"), key_lines(TEXT)

    def leaves(value, path=()):
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        yield path
        for key, item in items:
            yield from leaves(item, (*path, key))

    assert set(leaves(data)) - {()} <= lines.keys()


text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
scalar = st.one_of(text, st.booleans(), st.integers(-2**63, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
value = st.recursive(scalar, lambda v: st.lists(v, max_size=3) | st.dictionaries(text, v, max_size=3), max_leaves=6)
table = st.dictionaries(text, value, max_size=4)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(text, value | table | st.lists(table, max_size=2), max_size=4))
def test_what_is_written_reads_back_equal(data):
    written = dumps(data)
    assert tomllib.loads(written) == data
    assert {path[0] for path in key_lines(written)} == data.keys()


@pytest.mark.parametrize(("broken", "where", "what"), [
    ("a = 1\nb = = 2\n", "f:2:", "invalid value"),
    ("a = 1\na = 2\n", "f:2:", "overwrite"),
    ("a = [1, 2", "f:1:", "array"),
    ("x = " + "[" * 5000 + "]" * 5000, "f:", "nested too deeply"),
    ("x = " + "9" * 5000, "f:", "digits"),
])
def test_text_that_is_not_toml_is_said_with_its_line(broken, where, what):
    with pytest.raises(InputError) as error:
        parse(broken, "f")
    assert str(error.value).startswith(where)
    assert what in str(error.value).lower()
