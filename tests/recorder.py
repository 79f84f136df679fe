"""A stage's context that only keeps what it is given."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
from glasses import whole

from hpcglass.rundir import references


class Recorder:
    """What a stage stores and says: results, fields, tables as lists of rows, literature."""

    restored = None

    def __init__(self):
        self.results, self.fields, self.tables, self.bonds, self.lines, self.cited = {}, {}, {}, {}, [], set()
        self.frames = []

    def table(self, name, **columns):
        rows = self.tables.setdefault(name, [])

        def append(**values):
            assert values.keys() == columns.keys()
            rows.append(values)

        return SimpleNamespace(append=append)

    def column(self, table, name):
        return np.array([row[name] for row in self.tables[table]], dtype=float)

    def result(self, name, value, units="", long_name=""):
        self.results[name] = value

    def field(self, name, values, units="", long_name="", of=None):
        self.fields[name] = values

    def field_column(self, name, column, values, units="", long_name="", of=None):
        values = whole(of, values)          # by id: each configuration has its own order
        known = self.fields.get(name, np.empty((len(values), 0)))
        self.fields[name] = np.column_stack([known, *[np.full(len(values), np.nan)] * (column + 1 - known.shape[1])])
        self.fields[name][:, column] = values

    def frame(self, step, time=0.0, of=None, **fields):
        self.frames.append((step, time))

    def pairs(self, name, ids, **columns):
        self.bonds[name] = (ids, columns)

    def timer(self, verb):
        return contextlib.nullcontext()

    def cite(self, *keys):
        references.check(keys)
        self.cited |= set(keys)

    def log(self, message):
        self.message = message
        self.lines.append(message)

    def safe_point(self, step, total, snapshot, note=""):
        self.last = snapshot()

    def end_point(self, snapshot):
        self.end = snapshot

    def look(self):
        pass

    def reached(self, step, time):
        self.step, self.strain = step, time


class Stopped(Exception):
    """A safe point was the last one."""


class Stopping(Recorder):
    """Can stop at a safe point, and go on with the tables of an interrupted run."""

    def __init__(self, system, stop=None, restored=None, tables=None):
        super().__init__()
        self.system, self.stop, self.restored = system, stop, restored
        self.tables = {name: list(rows) for name, rows in (tables or {}).items()}
