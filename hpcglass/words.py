"""Names and texts of users as they may be shown: no control characters, and quoted where they go into a shell."""

from __future__ import annotations

import math
import shlex
import unicodedata

PLUS_MINUS = r" \pm "       # within mathematics
MOST_PLACES = 6         # behind the point, of a number with an error; smaller ones have a power of ten
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")     # Unicode's control characters, changes of direction, halves of pairs, separators


def plain(text: object) -> str:
    """Text for a terminal or a log: what could move the cursor, colour the screen or reverse a line is shown as an escape.

    >>> print(plain("a\\x1b[31m"))
    a\\x1b[31m
    """
    string = str(text)
    if string.isascii() and string.isprintable():
        return string
    return "".join(letter if letter in "\n\t" or unicodedata.category(letter) not in HIDDEN else
                   f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}" for letter in string)


def measured(value: float, error: float, between: str = " ± ") -> str:
    """A number with its error: one digit of that, and of the number as many places.

    >>> measured(0.086091, 0.00213), measured(12345.6, 310.0), measured(1.5, 0.0), measured(1.5, float("nan"))
    ('0.086 ± 0.002', '12300 ± 300', '1.5 ± 0', '1.5')
    """
    if not math.isfinite(error):
        return f"{value:.5g}"
    if error <= 0.0 or not math.isfinite(value):
        return f"{value:.5g}{between}{error:.1g}"
    digit = math.floor(math.log10(float(f"{error:.0e}")))
    places = max(0, -digit)
    if places > MOST_PLACES:
        return f"{value:.5g}{between}{error:.1g}"
    return f"{round(value, -digit):.{places}f}{between}{round(error, -digit):.{places}f}"


def one_line(text: object, longest: int = 200) -> str:
    """The same as one line that is not too long."""
    string = plain(text).replace("\n", " ").replace("\t", " ")
    return string if len(string) <= longest else string[: longest - 3] + "..."


def show(text: object) -> None:
    """Print a text for people."""
    print(plain(text), flush=True)


def quoted(text: object) -> str:
    """One word of a shell's command, which may be copied from the screen.

    >>> print(quoted("my glass"), quoted("a\\x07"))
    'my glass' $'a\\x07'
    """
    string = str(text)
    if one_line(string, len(string)) == string:
        return shlex.quote(string)
    return "$'" + "".join(chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\x{byte:02x}"
                          for byte in string.encode("utf-8", "surrogateescape")) + "'"
