"""What the table of vaults says beside that of servers: ours to the best of the others, and which others they are."""
import re
import subprocess
from dataclasses import dataclass

from measure import median, ratio
from report import where

PEERS = ("restic", "rustic", "borg")
WORDS = {"wall": "wall", "cpu": "CPU", "stored": "stored"}


@dataclass
class BestGoal:
    """What ours is to be of a figure of whichever of the others is best in it: at most `limit` times that."""
    what: str
    limit: float

    def judge(self, samples):
        best = min((name for name in PEERS if name in samples), key=lambda name: median(samples[name], self.what))
        value = 1 / ratio(samples["ours"], samples[best], self.what)
        return value <= self.limit, f"{WORDS[self.what]} ≤ {self.limit} × {best}: {value:.2f}"


def note(quick, rounds, others):
    command = "`benches/vault --quick`" if quick else "`benches/vault`"
    turns = "one round" if rounds == 1 else f"medians of {rounds} rounds in which the programs take turns"
    return (f"{where()} {command}, {turns}, beside {others}. Bold: that wall time to ours, median of the rounds. CPU seconds and peak "
            "memory are the program's, not its server's.")


def versions(made):
    told = [subprocess.run([program, word], check=True, stdout=subprocess.PIPE, text=True).stdout
            for program, word in ((made.restic, "version"), (made.rustic, "--version"), (made.borg, "--version"))]
    return ", ".join(" ".join(re.match(r"(\w+) v?([\d.]+)", text).groups()) for text in told)
