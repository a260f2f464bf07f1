"""Backups and restores of a large file and of a tree, into a folder and over TLS, and the goal of each."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import tools
from measure import MIB, available_bytes, program, rounds
from report import Goal, Result
from tools import say
from vault_programs import home_of, programs
from vault_report import BestGoal
from vaults import Vault

GB = 1_000_000_000
MEMORY = pathlib.Path("/dev/shm")
# What a program takes for itself in a restore, at most.
OWN_MEMORY = 2048 * MIB
PEAK = Goal(None, "peak", 200e6 / MIB)
STORED = BestGoal("stored", 1.0)


def chosen(only):
    names = [name for name in only.split(",") if name] or list(WORKS)
    if unknown := [name for name in names if name not in WORKS]:
        raise SystemExit(f"unknown works: {', '.join(unknown)}; there are {', '.join(WORKS)}")
    return [WORKS[name] for name in names]


def file_size(quick):
    return (256 if quick else 4096) * MIB


def tree_files(quick):
    return 8_000 if quick else 135_000


def refuse_without_room(quick):
    """Two files of the large one's size and one repository lie on the disk at once, one restored file in memory."""
    size = file_size(quick)
    tools.OUTPUT.mkdir(parents=True, exist_ok=True)
    for folder, needed in ((tools.OUTPUT, 3.2 * size + GB), (MEMORY, 1.1 * size)):
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise SystemExit(f"{folder} has {free / GB:.1f} GB free, and the bench needs {needed / GB:.1f}: make room, or try --quick")
    available, needed = available_bytes(), 1.1 * size + 3 * GB
    if available < needed:
        raise SystemExit(f"{available / GB:.1f} GB of memory are available, and the bench needs {needed / GB:.1f}, because it restores "
                         "into memory: end something, or try --quick")


# --- The large file

def file_into_folder(bench, count):
    return large_file(bench, count, False)


def file_over_tls(bench, count):
    return large_file(bench, count, True)


def large_file(bench, count, is_tls):
    size = file_size(bench.quick)
    corpus = make("file", bench, size)
    before, after = corpus / "before", corpus / "after"

    def life(contestant, number):
        def run(own):
            first = saved(own, before)
            back = restored(own, before, number == 0)
            return first, saved(own, after), back
        return in_repository(bench, contestant, is_tls, run)
    firsts, edits, backs = samples_of(bench, count, is_tls, life, "the large file", corpus)
    what, over = ("4 GiB" if size == 4096 * MIB else f"{size // MIB} MiB"), place(is_tls)
    return [Result(f"first backup of one file of {what}, half compressible, {over}", firsts, "wall",
                   [BestGoal("wall", 0.5), BestGoal("cpu", 0.85), STORED, PEAK], SHOWN),
            Result(f"the file again with 60 small edits, {over}", edits, "wall", [BestGoal("wall", 0.6), STORED, PEAK], SHOWN),
            Result(f"restore of the file, {over}", backs, "wall", [BestGoal("wall", 0.7), PEAK], RESTORE)]


# --- The tree

def tree_into_folder(bench, count):
    return tree(bench, count, False)


def tree_over_tls(bench, count):
    return tree(bench, count, True)


def tree(bench, count, is_tls):
    files = tree_files(bench.quick)
    corpus = make("tree", bench, files)

    def life(contestant, number):
        def run(own):
            return saved(own, corpus), saved(own, corpus), restored(own, corpus, number == 0)
        return in_repository(bench, contestant, is_tls, run)
    firsts, agains, backs = samples_of(bench, count, is_tls, life, "the tree", corpus)
    over = place(is_tls)
    return [Result(f"first backup of a tree of {files:,} small files, {over}", firsts, "wall", [BestGoal("wall", 0.6), STORED, PEAK], SHOWN),
            Result(f"the tree again with nothing changed, {over}", agains, "wall", [BestGoal("wall", 0.5), Goal(None, "written", 100), PEAK],
                   UNCHANGED),
            Result(f"restore of the tree, {over}", backs, "wall", [BestGoal("wall", 0.7), PEAK], RESTORE)]


# --- What both do

SHOWN, UNCHANGED, RESTORE = ("wall", "cpu", "peak", "stored"), ("wall", "cpu", "peak", "written"), ("wall", "cpu", "peak")


def place(is_tls):
    return "over TLS" if is_tls else "into a folder"


def make(what, bench, size):
    say(f"making the {what}")
    corpus = bench.folder / f"corpus-{what}"
    maker = pathlib.Path(__file__).with_name("vault_corpora.py")
    subprocess.run([sys.executable, "-B", str(maker), what, str(corpus), str(size)], check=True)
    return corpus


def samples_of(bench, count, is_tls, life, what, corpus):
    """The samples of each step of a life by program. Who cannot speak to a server stays out over TLS."""
    contestants = {name: (name, *maker) for name, maker in programs(bench).items() if maker[0].has_protocol or not is_tls}
    say(f"backup and restore of {what}, {place(is_tls)}")
    lives = rounds(contestants, count, life)
    shutil.rmtree(corpus)
    steps = range(len(next(iter(lives.values()))[0]))
    return [{name: [one[step] for one in lives[name]] for name in lives} for step in steps]


def in_repository(bench, contestant, is_tls, run):
    """Runs what is measured in a new repository, which is gone afterwards: the disk has not room for all of them at once."""
    name, kind, binary = contestant
    own = kind(binary, home_of(bench, name), bench.certificate[0])
    server = Vault(bench, f"server-{name}", True).start() if is_tls else None
    try:
        own.repository = server.repository("repository") if server else own.home / "repository"
        own.folder = server.folder_of("repository") if server else own.repository
        program(own.make(), own.environment(), own.home)
        return run(own)
    finally:
        if server:
            server.stop()
            server.clear()
        own.clear()


def saved(own, source):
    before = own.sizes()
    sample = program(own.save(source), own.environment(), own.home, (source, own.folder))
    after = own.sizes()
    written = sum(state[-1] for file, state in after.items() if before.get(file) != state)
    held = sum(state[-1] for state in after.values()) - sum(state[-1] for state in before.values())
    return sample | {"stored": held / 1e6, "written": written / 1e3}


def restored(own, source, is_compared):
    """Into memory, so that no disk but the repository's is measured; what came back is compared with what was saved once."""
    target = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-bench-", dir=MEMORY))
    try:
        needs = int(subprocess.check_output(["du", "-sB1", source]).split()[0]) + OWN_MEMORY
        sample = program(own.restore(source, target), own.environment(), own.home, [own.folder], needs)
        if is_compared:
            subprocess.run(["diff", "-rq", "--no-dereference", str(source), str(own.restored(source, target))], check=True)
        return sample
    finally:
        shutil.rmtree(target)


WORKS = {
    "file": file_into_folder,
    "tree": tree_into_folder,
    "file-tls": file_over_tls,
    "tree-tls": tree_over_tls,
}
