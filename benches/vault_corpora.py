"""What is saved, made from a seed: a large file, the same file edited, and a tree in the shape of /usr.

    vault_corpora.py file FOLDER SIZE      FOLDER/before/large and FOLDER/after/large, which has 60 small edits
    vault_corpora.py tree FOLDER FILES     a tree of so many files; 135,000 are 1.8 GB

A program of its own: the memory that it needs would count as the peak of whatever the bench starts.
"""
import bisect
import math
import os
import pathlib
import random
import sys

SEED = 20_261_126
KIB, MIB = 1 << 10, 1 << 20
EDITS = 60

# Bytes of a file by the share of files, in percent, that are smaller: /usr of a developer's Debian, without the few above 1 MB.
SIZES = [(0, 1), (1, 15), (5, 208), (10, 444), (20, 780), (30, 1102), (40, 1482), (50, 2101), (60, 3173), (70, 5250), (80, 10_690),
         (90, 26_530), (95, 56_000), (98, 125_000), (99, 180_000), (99.5, 280_000), (100, 1_040_000)]
# Files straight in a folder, likewise: there are 7.3 on average, and many folders that hold folders alone.
IN_A_FOLDER = [(0, 0), (20, 1), (50, 3), (75, 5), (90, 10), (95, 18), (99, 72), (99.9, 308), (100, 2_000)]
FOLDERS_OF_A_FILE = 0.136
# How many of a thousand files lie so many folders deep, from one on.
DEPTHS = [10, 30, 259, 117, 97, 119, 173, 116, 38, 23, 14, 4]
# A quarter of the files there is compressed already (manuals, pictures), most of the others are text.
CONTENTS = [("text", 60), ("binary", 15), ("random", 25)]
ENDINGS = {"text": (".py", ".h", ".yaml", ".txt", ".pl", ""), "binary": (".so", ".pyc", ".mo", ""), "random": (".gz", ".png")}


def make_file(folder, size):
    """Stretches of 64 KiB to 8 MiB that compress well and not at all take turns; half of the file is of either sort."""
    chance = random.Random(SEED)
    words = vocabulary(chance)
    path = folder / "before/large"
    path.parent.mkdir(parents=True)
    left = {"text": size // 2, "random": size - size // 2}
    with open(path, "wb") as file:
        while any(left.values()):
            for sort in left:
                length = min(left[sort], int(64 * KIB * 2 ** chance.uniform(0, 7)))
                left[sort] -= length
                file.write(chance.randbytes(length) if sort == "random" else text(chance, words, length))
    edit(chance, path, folder / "after/large")


def edit(chance, before, after):
    """Copies a file; every second edit puts 1 to 4,096 bytes between two others, the rest overwrite as many."""
    after.parent.mkdir(parents=True)
    places = sorted(chance.randrange(before.stat().st_size) for _ in range(EDITS))
    with open(before, "rb") as source, open(after, "wb") as target:
        for number, place in enumerate(places):
            copy(source, target, max(0, place - source.tell()))
            new = chance.randbytes(chance.randint(1, 4096))
            target.write(new)
            if number % 2:
                source.seek(len(new), os.SEEK_CUR)
        copy(source, target, before.stat().st_size)


def copy(source, target, length):
    while length > 0 and (part := source.read(min(length, MIB))):
        target.write(part)
        length -= len(part)


def make_tree(folder, files):
    chance = random.Random(SEED)
    pools = {"text": text(chance, vocabulary(chance), 32 * MIB), "binary": text(chance, instructions(chance), 32 * MIB),
             "random": chance.randbytes(32 * MIB)}
    sorts, weights = zip(*CONTENTS)
    sizes = [int(at(SIZES, 100 * (number + 0.5) / files)) for number in range(files)]
    chance.shuffle(sizes)
    for number, parent in enumerate(parents(chance, folder, files)):
        sort = chance.choices(sorts, weights)[0]
        start = chance.randrange(len(pools[sort]) - sizes[number])
        path = parent / f"{chance.choice(NAMES)}-{number}{chance.choice(ENDINGS[sort])}"
        content = b"%08x" % number + pools[sort][start:start + sizes[number]]
        with open(path, "wb", buffering=0) as file:
            file.write(content[:sizes[number]])
        os.utime(path, ns=(age := chance.randrange(1_600_000_000, 1_780_000_000) * 10**9 + number, age))


def parents(chance, folder, files):
    """The folder of each file; makes the folders."""
    folders = max(len(DEPTHS), int(files * FOLDERS_OF_A_FILE))
    level, places = [folder], []
    for depth, share in enumerate(DEPTHS):
        count = max(1, folders * share // sum(DEPTHS))
        level = [chance.choice(level) / f"{chance.choice(NAMES)}{depth}-{number}" for number in range(count)]
        places += level
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    found = []
    while len(found) < files:
        for place in places:
            found += [place] * int(at(IN_A_FOLDER, chance.uniform(0, 100)))
    return found[:files]


def at(table, share):
    """Between two entries of a table by the logarithm, as sizes go."""
    above = min(max(bisect.bisect_left(table, (share,)), 1), len(table) - 1)
    (low, least), (high, most) = table[above - 1], table[above]
    least, most = math.log(least + 1), math.log(most + 1)
    return math.exp(least + (most - least) * (share - low) / (high - low)) - 1 + 1e-9


NAMES = ("module", "index", "README", "test_of", "locale", "config", "types", "core", "manual", "icon", "__init__", "version", "data")


def vocabulary(chance):
    """Phrases of 3 to 6 words. Few words are frequent and many are rare, as in any language."""
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(chance.choices(letters, range(22, 0, -1), k=chance.randint(2, 11))) for _ in range(6_000)]
    shares = [1 / place for place in range(1, len(words) + 1)]
    phrases = [chance.choices(words, shares, k=chance.randint(3, 6)) for _ in range(20_000)]
    return [(" ".join(phrase) + chance.choice((" ", ", ", "(", ".\n"))).encode() for phrase in phrases]


def instructions(chance):
    """Runs of 2 to 5 pieces of any bytes, few of them frequent, some with zeroes behind."""
    pieces = [chance.randbytes(chance.randint(1, 5)) + bytes(chance.choice((0, 0, 2, 4))) for _ in range(4_000)]
    shares = [1 / place for place in range(1, len(pieces) + 1)]
    return [b"".join(chance.choices(pieces, shares, k=chance.randint(2, 5))) for _ in range(30_000)]


def text(chance, pieces, length):
    made = bytearray()
    while len(made) < length:
        made += b"".join(chance.choices(pieces, k=max(64, (length - len(made)) // 8)))
    return bytes(made[:length])


if __name__ == "__main__":
    _, what, where, count = sys.argv
    {"file": make_file, "tree": make_tree}[what](pathlib.Path(where), int(count))
