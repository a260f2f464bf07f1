"""restic's work: backups into a vault, into rclone's server for restic, and into a folder; and the restores."""
import os
import random
import re
import shutil
import subprocess

from loads import end, random_block
from measure import MIB, rounds, turn
from report import Goal, Result
from servers import Ours, Rclone
from tools import say

KEPT = "kept"
SEED = 5


def large_backups(bench, count):
    size = 256 * MIB if bench.quick else 4096 * MIB
    source = bench.folder / "large-tree"
    make_large_tree(source, size)
    return backups(bench, count, source, f"{size // MIB} MiB in one file")


def small_backups(bench, count):
    files = 5_000 if bench.quick else 100_000
    source = bench.folder / "small-tree"
    make_small_tree(source, files)
    return backups(bench, count, source, f"{files:,} small files")


def backups(bench, count, source, what):
    contestants = {"ours": Vault(bench, "ours", True).start(), "rclone": RcloneRestic(bench, "rclone", True).start(),
                   "local folder": Folder(bench)}
    say(f"restic: backup and restore of {what}")
    try:
        puts = rounds(contestants, count, lambda server, number: backup(server, source, f"round-{number}"))
        for server in contestants.values():
            restic(server, KEPT, "init")
            restic(server, KEPT, "backup", "--quiet", source)
        gets = rounds(contestants, count, lambda server, _: restore(server))
    finally:
        end(contestants)
        shutil.rmtree(source)
    goals = [Goal("rclone", "wall", 1.0)]
    return [Result(f"backup of {what} by restic, TLS", puts, "wall", goals), Result(f"restore of {what} by restic, TLS", gets, "wall", goals)]


def backup(server, source, repository):
    """A first backup into a new repository; making it is outside what is measured."""
    restic(server, repository, "init")
    sample = turn(server, lambda: restic(server, repository, "backup", "--quiet", source))
    shutil.rmtree(server.folder_of(repository))
    return sample


def restore(server):
    target = server.home / "restored"
    sample = turn(server, lambda: restic(server, KEPT, "restore", "latest", "--target", target))
    shutil.rmtree(target)
    return sample


def restic(server, repository, *arguments):
    trust = ["--cacert", server.bench.certificate[0]] if server.is_tls else []
    command = [server.bench.tools.restic, "-r", server.repository(repository), "--cache-dir", server.home / "cache", *trust, *arguments]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL,
                   env={"PATH": os.environ["PATH"], "HOME": str(server.home), "RESTIC_PASSWORD": "bench"})


class Vault(Ours):
    """Ours with an account of kind vault."""

    def start(self):
        super().start()
        command = [self.binary, "account", "add", "--kind", "vault", "--data", self.data]
        printed = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
        found = re.search(r"https://(\w+):(\w+)@", printed)
        self.account, self.user = found[1], f"{found[1]}:{found[2]}"
        return self

    def repository(self, name):
        return f"rest:https://{self.user}@localhost:{self.port}/{name}/"

    def folder_of(self, name):
        return self.folder / self.account / name


class RcloneRestic(Rclone):
    """rclone's server for restic; it does not sync."""

    protocol = "restic"

    def repository(self, name):
        return f"rest:https://{self.user}@localhost:{self.port}/{name}/"

    def folder_of(self, name):
        return self.folder / name


class Folder:
    """restic without a server."""

    is_tls = False

    def __init__(self, bench):
        self.bench, self.home = bench, bench.folder / "folder"
        self.home.mkdir()

    def repository(self, name):
        return self.folder_of(name)

    def folder_of(self, name):
        return self.home / name

    def cpu_seconds(self):
        return 0

    def memory(self, _):
        return 0

    def forget_peak(self):
        pass

    def stop(self):
        pass

    def clear(self):
        shutil.rmtree(self.home, ignore_errors=True)


def make_large_tree(folder, size):
    """One file; every second MiB of it is text that compresses well. No stretch comes twice: restic cuts each repository at other places
    of its own, and would find some of the same stretches again in one and none in the other."""
    folder.mkdir()
    noise, number_of_block = random.Random(SEED), b"########"
    line = b"%s %08d the same words again and again\n"
    text = b"".join(line % (number_of_block, number) for number in range(MIB // len(line % (number_of_block, 0)))).ljust(MIB)
    with open(folder / "large", "wb") as file:
        for number in range(size // MIB):
            file.write(noise.randbytes(MIB) if number % 2 else text.replace(number_of_block, b"%08d" % number))


def make_small_tree(folder, files):
    """A hundred files a folder, 100 bytes to 8 KB each."""
    block = random_block()
    for number in range(files):
        below = folder / f"{number // 10_000}" / f"{number // 100}"
        below.mkdir(parents=True, exist_ok=True)
        start, length = number * 37 % (MIB // 2), 100 + number * 7919 % 8_000
        (below / f"file-{number}").write_bytes(number.to_bytes(8, "big") + block[start:start + length])
