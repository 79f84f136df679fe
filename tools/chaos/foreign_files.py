#!/usr/bin/env python3
"""Damage files of other programs in seeded ways and see what the readers make of them.

    tools/chaos/foreign_files.py [NUMBER] [--seed SEED] [--only ENDING] [--keep DIRECTORY]

Good files of all formats (2D and 3D, tilted, with sizes, species and ids, several frames) are cut short, bytes are flipped,
numbers changed, lines removed, doubled and swapped, columns exchanged. Each damaged file is read as a run would read it, in child
processes with a limit of time and of memory. Counted are:

    refused   a message of hpcglass
    harmless  read, equal to the undamaged one
    changed   read, finite, but another configuration: listed, with what differs; a flipped digit of a coordinate cannot be
              noticed, another number of particles or many other particles should have been
    traceback, hang, memory, crash

Ends with 1 if there is any of the last four, or a `changed` file with another number of particles.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60            # for one file; a good one takes milliseconds, half a second if it is HDF5
MEMORY = 3 * 2**30      # bytes of address space of a child
BATCH = 50


# ---------------------------------------------------------------------- good files

def good_files(folder: Path) -> list[Path]:
    """Files of all formats that are read without a complaint."""
    import numpy as np

    from hpcglass.io.convert import Configuration, write_any

    rng = np.random.default_rng(1)
    files = []
    for d in (2, 3):
        for tilted in (False, True):
            box = np.diag(rng.uniform(8, 9, d))
            box[0, 1] = 2.3 * tilted
            species = rng.permutation(np.arange(40) % 2).astype(np.int32)
            one = Configuration(lattice(40, d) @ box.T, box, np.where(species, 1.4, 1.0), species)
            for ending in ("xyz", "data", "dump", "gsd"):
                files.append(folder / f"{d}d-{'tilted' if tilted else 'straight'}.{ending}")
                write_any(one, files[-1])
            files += [h5md(folder / f"{d}d-{'tilted' if tilted else 'straight'}.h5", one, tilted), labelled(folder, one, tilted),
                      framed(folder, one, tilted)]
    return files


def lattice(count: int, d: int):
    """Places that are not too near to each other, in units of the edges."""
    import numpy as np

    rng = np.random.default_rng(2)
    side = int(np.ceil(count ** (1 / d)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * d, indexing="ij"), axis=-1).reshape(-1, d)[:count]
    return (grid + 0.5 + rng.uniform(-0.2, 0.2, (count, d))) / side


def h5md(path: Path, one, several: bool) -> Path:
    """With ids, two frames and empty slots if `several`."""
    import h5py
    import numpy as np

    count, d = one.position.shape
    with h5py.File(path, "w") as file:
        file.create_group("h5md").attrs["version"] = [1, 1]
        group = file.create_group("particles/all")
        group.create_group("box").attrs.update(dimension=d, boundary=["periodic"] * d)
        if not several:
            group["box/edges"] = np.diag(one.box)
            group["position"], group["diameter"], group["species"] = one.position, one.diameter, one.species
            return path
        slots, order = count + 5, np.random.default_rng(3).permutation(count)
        for name, rows, fill in (("position", one.position, 0.0), ("id", np.arange(count), -1), ("species", one.species, 0),
                                 ("diameter", one.diameter, 0.0)):
            frames = np.full((2, slots, *rows.shape[1:]), fill, dtype=rows.dtype)
            frames[:, :count] = rows[order]
            group.create_dataset(f"{name}/value", data=frames, fillvalue=fill, chunks=True, compression="gzip")
            group[f"{name}/step"] = [0, 10]
        group["box/edges/value"], group["box/edges/step"] = np.stack([one.box.T] * 2), [0, 10]
    return path


def labelled(folder: Path, one, tilted: bool) -> Path:
    """LAMMPS data with type labels, image flags, charges and comments."""
    import numpy as np

    path = folder / f"{one.dimension}d-{'tilted' if tilted else 'straight'}-labels.data"
    box = np.eye(3)
    box[: one.dimension, : one.dimension] = one.box
    position = np.zeros((len(one.position), 3))
    position[:, : one.dimension] = one.position
    tilt = f"{box[0, 1]} 0.0 0.0  xy xz yz # tilt\n" if tilted else ""
    rows = "".join(f"{i} 1 {'SL'[s]} 0.5 {x} {y} {z} 0 -1 0 # particle\n"
                   for i, (s, (x, y, z)) in enumerate(zip(one.species, position, strict=True), 1))
    velocities = "".join(f"{i} 0 0 0\n" for i in range(1, len(position) + 1))
    path.write_text(f"labels\n\n{len(position)} atoms\n2 atom types\n\n0 {box[0, 0]} xlo xhi\n0\t{box[1, 1]}\tylo yhi\n"
                    f"0 {box[2, 2]} zlo zhi\n{tilt}\nAtom Type Labels\n\n1 S\n2 L\n\nMasses\n\nS 1.0\nL 1.0\n\n"
                    f"Atoms # full\n\n{rows}\nVelocities\n\n{velocities}")
    return path


def framed(folder: Path, one, tilted: bool) -> Path:
    """Extended XYZ of two frames with ids in another order, forces, Windows' line ends."""
    import numpy as np

    path = folder / f"{one.dimension}d-{'tilted' if tilted else 'straight'}-frames.xyz"
    box, position = np.eye(3), np.zeros((len(one.position), 3))
    box[: one.dimension, : one.dimension], position[:, : one.dimension] = one.box, one.position
    order = np.random.default_rng(4).permutation(len(position))
    rows = "".join(f"{'SL'[one.species[i]]} {' '.join(map(repr, position[i].tolist()))} {one.diameter[i]} {i} 0.1 0.2 0.3\r\n"
                   for i in order)
    head = (f'Lattice="{" ".join(map(repr, box.T.ravel().tolist()))}" energy=-1.5 '
            f'Properties=species:S:1:pos:R:3:diameter:R:1:id:I:1:forces:R:3 pbc="T T {"TF"[one.dimension == 2]}"')
    path.write_bytes(f"\ufeff{len(position)}\r\n{head}\r\n{rows}\r\n{len(position)}\r\n{head}\r\n{rows}".encode())
    return path


# ---------------------------------------------------------------------- damage

Damage = Callable[[bytes, random.Random], bytes]
STRANGE = ["nan", "inf", "-1", "0", "1e300", "1d0", "1,5", "x", "1_0", "9" * 20, "-0.0", "1.0.0"]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def lose_piece(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 200):]


def double_piece(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[max(at - rng.randint(1, 200), 0): at] + data[at:]


def zero_piece(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice([1, 8, 64, 512])
    return data[:at] + bytes(len(data[at: at + size])) + data[at + size:]


def change_word(data: bytes, rng: random.Random) -> bytes:
    """Eight bytes of a binary file become a large, negative or strange number; a word of a text file likewise."""
    if is_text(data):
        lines, (row, words) = split(data, rng)
        words[rng.randrange(len(words))] = rng.choice(STRANGE)
        lines[row] = " ".join(words)
        return "\n".join(lines).encode()
    at = rng.randrange(len(data) // 8) * 8
    number = rng.choice([2**63 - 1, 2**40, 2**31, 2**32 - 1, 0, 2**64 - 1, 1])
    return data[:at] + number.to_bytes(8, "little") + data[at + 8:]


def lose_line(data: bytes, rng: random.Random) -> bytes:
    lines, (row, _) = split(data, rng)
    return "\n".join(lines[:row] + lines[row + 1:]).encode()


def double_line(data: bytes, rng: random.Random) -> bytes:
    lines, (row, _) = split(data, rng)
    return "\n".join(lines[: row + 1] + lines[row:]).encode()


def blank_line(data: bytes, rng: random.Random) -> bytes:
    lines, (row, _) = split(data, rng)
    return "\n".join([*lines[:row], rng.choice(["", "  ", "# nothing"]), *lines[row + rng.choice([0, 1]):]]).encode()


def swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines, (row, _) = split(data, rng)
    other = rng.randrange(len(lines))
    lines[row], lines[other] = lines[other], lines[row]
    return "\n".join(lines).encode()


def swap_words(data: bytes, rng: random.Random) -> bytes:
    """Two words of a line, or in all lines two columns."""
    lines, (row, words) = split(data, rng)
    i, j = rng.randrange(len(words)), rng.randrange(len(words))
    rows = range(len(lines)) if rng.random() < 0.5 else [row]
    for k in rows:
        each = lines[k].split()
        if max(i, j) < len(each) == len(words):
            each[i], each[j] = each[j], each[i]
            lines[k] = " ".join(each)
    return "\n".join(lines).encode()


def lose_word(data: bytes, rng: random.Random) -> bytes:
    lines, (row, words) = split(data, rng)
    words.pop(rng.randrange(len(words)))
    lines[row] = " ".join(words)
    return "\n".join(lines).encode()


def join_words(data: bytes, rng: random.Random) -> bytes:
    """Two numbers without a blank between them, as fixed columns that are too narrow give."""
    lines, (row, words) = split(data, rng)
    lines[row] = " ".join(words).replace(" ", "", 1)
    return "\n".join(lines).encode()


def is_text(data: bytes) -> bool:
    return not data.startswith((b"\x89HDF", b"\xdf\x65"))


def split(data: bytes, rng: random.Random) -> tuple[list[str], tuple[int, list[str]]]:
    """Lines, and one with words: its number and words."""
    lines = data.decode().split("\n")
    row = rng.choice([k for k, line in enumerate(lines) if line.split()])
    return lines, (row, lines[row].split())


BINARY: list[Damage] = [cut, flip_bits, flip_bits, lose_piece, double_piece, zero_piece, change_word, change_word]
TEXT: list[Damage] = [cut, flip_bits, lose_piece, double_piece, change_word, lose_line, double_line, blank_line, swap_lines,
                      swap_words, lose_word, join_words]


# ---------------------------------------------------------------------- a child reads

def read_all(model: str) -> None:
    """In a child: a good and a damaged path per line of the input, a line of JSON per answer."""
    import numpy as np

    from hpcglass.errors import HpcglassError
    from hpcglass.io.adopt import adopt
    from hpcglass.io.convert import read_any
    from hpcglass.potentials.library import MODELS
    from hpcglass.sealed import probe

    probe.SECONDS = 10.0
    whole: dict[str, Any] = {}
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def read(path: str):
        found = read_any(path, 2 if "2d-" in Path(path).name else 3)
        return adopt(found, MODELS[model], Path(path))[0]

    def compare(good, found) -> str:
        if len(found.position) != len(good.position) or found.dimension != good.dimension:
            return f"{len(found.position)} particles in {found.dimension}D"
        differs = [f"cell {found.box.T.tolist()}"] if not np.array_equal(found.box, good.box) else []
        for name in ("position", "diameter", "species"):
            a, b = getattr(found, name), getattr(good, name)
            if a is None or b is None:
                differs += [f"no {name}"] if a is not b else []
            elif rows := int((a != b).reshape(len(a), -1).any(axis=1).sum()):
                differs.append(f"{name} of {rows}")
        return ", ".join(differs)

    for line in sys.stdin:
        good, damaged = line.rstrip("\n").split("\t")
        print(json.dumps({"begins": damaged}), flush=True)
        try:
            whole[good] = whole.get(good) or read(good)
            what = compare(whole[good], read(damaged))
            answer = {"changed": what} if what else {"harmless": ""}
        except HpcglassError as error:
            told = damaged in str(error)
            answer = {"refused" if told else "traceback": f"{type(error).__name__}: {error}"}
        except MemoryError:
            answer = {"memory": ""}
        except Exception as error:
            answer = {"traceback": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def answers(pairs: list[tuple[Path, Path]], model: str) -> Iterator[tuple[Path, str, str]]:
    """(damaged file, outcome, text) of each pair; a child that hangs or dies is replaced."""
    left = list(pairs)
    while left:
        batch, left = left[:BATCH], left[BATCH:]
        with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile("w+") as output:
            asked.writelines(f"{good}\t{bad}\n" for good, bad in batch)
            asked.seek(0)
            child = subprocess.Popen([sys.executable, __file__, "--read", model], stdin=asked, stdout=output,
                                     stderr=subprocess.DEVNULL, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
            lines, hung = wait(child, output)
        done = 0
        for line in lines:
            answer = json.loads(line)
            if "begins" not in answer:
                yield batch[done][1], *next(iter(answer.items()))
                done += 1
        if done < len(batch):
            yield batch[done][1], "hang" if hung else "crash", f"exit code {child.returncode}"
            left = batch[done + 1:] + left


def wait(child: subprocess.Popen, output) -> tuple[list[str], bool]:
    """Lines that a child gave, and whether it was ended because nothing came for too long."""
    size, since = 0, time.monotonic() + 60      # imports
    while child.poll() is None:
        time.sleep(0.05)
        now = os.fstat(output.fileno()).st_size
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > SECONDS:
            child.kill()
            child.wait()
            output.seek(0)
            return output.read().splitlines(), True
    output.seek(0)
    return output.read().splitlines(), False


# ---------------------------------------------------------------------- the whole

def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", type=int, nargs="?", default=300, help="damaged files (default 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="ENDING", help="xyz, data, dump, gsd or h5")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="keep the files here")
    parser.add_argument("--read", metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if options.read:
        read_all(options.read)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        (folder / "good").mkdir(parents=True, exist_ok=True)
        return report(folder, options.number, options.seed, options.only)


def report(folder: Path, number: int, seed: int, only: str) -> int:
    good = [path for path in good_files(folder / "good") if path.suffix.endswith(only)]
    sound = [text for _, outcome, text in answers([(path, path) for path in good], "harmonic") if outcome != "harmless"]
    assert not sound, sound
    pairs, how = [], {}
    for k in range(number):
        rng, path = random.Random(f"{seed} {k}"), good[k % len(good)]
        data = path.read_bytes()
        damage = rng.choice(TEXT if is_text(data) else BINARY)
        bad = folder / f"{k:05d}-{damage.__name__}-{path.stem}{path.suffix}"
        bad.write_bytes(damage(data, rng))
        pairs.append((path, bad))
        how[bad] = damage.__name__
    count: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    serious = 0
    for path, outcome, text in answers(pairs, "harmonic"):
        count[path.suffix][outcome] += 1
        wrong = outcome in ("traceback", "hang", "memory", "crash") or (outcome == "changed" and "particles" in text)
        serious += wrong
        if outcome not in ("refused", "harmless"):
            print(f"{'!!' if wrong else '  '} {outcome:9s} {path.name}: {text[:200]}", flush=True)
    for suffix, outcomes in sorted(count.items()):
        print(f"{suffix:6s}", ", ".join(f"{n} {outcome}" for outcome, n in outcomes.most_common()))
    print(f"{number} damaged files (seed {seed}): {serious} with a fault of the readers")
    return int(serious > 0)


if __name__ == "__main__":
    sys.exit(main())
