"""The few ways a run can fail, and the exit code of each.

Every class is also a subclass of the built-in that says the same, so that a script which
uses hpcglass as a library can catch either.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_INPUT = 2
EXIT_PHYSICS = 3
EXIT_FILE = 4
EXIT_REQUEUE = 75


class HpcglassError(Exception):
    """Base of all errors that hpcglass raises on purpose: a sentence, no traceback, an exit code."""

    exit_code = 1


class InputError(HpcglassError, ValueError):
    """The input, the command line or a file the user named asks for something that cannot be."""

    exit_code = EXIT_INPUT


class PhysicsError(HpcglassError, ArithmeticError):
    """A state that must not be continued from: NaN, explosion, lost particle, unconverged solve."""

    exit_code = EXIT_PHYSICS


class FileError(HpcglassError, OSError):
    """A file is damaged or cannot be written: what, where, and what is still good."""

    exit_code = EXIT_FILE


class Interrupted(HpcglassError):
    """Stopped on request (signal, time limit) after a checkpoint; the same command continues."""

    exit_code = EXIT_REQUEUE
