"""One Markdown table of medians, and the plot of how growth goes."""
import datetime
import math
import os
import pathlib
import platform
import re
import subprocess
from dataclasses import dataclass, field

from measure import median, ratio
from tools import ROOT

COLUMNS = ("ours", "nginx", "nginx + sync", "rclone", "dufs", "floor")
HIGHER_IS_BETTER = {"rate", "mib_s"}
UNITS = {"wall": " s", "rate": "/s", "mib_s": " MiB/s", "cpu": " CPU-s", "cpu_us": " µs CPU", "peak": " MiB", "p99_ms": " ms p99",
         "first": " s first byte", "whole": " s whole", "growth": " MiB more", "start": " s", "ended": " ended/s",
         "stored": " MB stored", "written": " KB written"}
SHOWN = {"wall": ("wall", "cpu", "peak"), "rate": ("rate", "p99_ms", "cpu_us", "peak"), "mib_s": ("mib_s", "cpu", "peak")}


@dataclass
class Goal:
    """What ours is to be of a column's figure: at most (times) or at least (rates) `limit` times it, or `plus` above it;
    without a column at most `limit` itself."""
    column: str | None
    what: str
    limit: float = 1.0
    plus: float | None = None

    def judge(self, samples):
        mine = samples["ours"]
        if self.column is None:
            value = median(mine, self.what)
            return value <= self.limit, f"≤ {number(self.limit)}{UNITS[self.what]}: {number(value)}"
        theirs = samples.get(self.column)
        if not theirs:
            return None, ""
        if self.plus is not None:
            value = median(mine, self.what) - median(theirs, self.what)
            return value <= self.plus, f"≤ {self.column} + {number(self.plus)}{UNITS[self.what]}: + {number(value)}"
        # Theirs to mine is how often mine fits in theirs; the goal speaks of mine to theirs.
        value = 1 / ratio(mine, theirs, self.what)
        is_met = value >= self.limit if self.what in HIGHER_IS_BETTER else value <= self.limit
        sign = "≥" if self.what in HIGHER_IS_BETTER else "≤"
        return is_met, f"{sign} {self.limit} × {self.column}: {value:.2f}"


@dataclass
class Result:
    title: str
    samples: dict
    main: str
    goals: list
    shown: tuple = ()
    points: dict = field(default_factory=dict)

    def cell(self, column):
        samples = self.samples.get(column)
        if not samples:
            return "–"
        shown = self.shown or SHOWN[self.main]
        parts = [f"{number(median(samples, what))}{UNITS[what]}" for what in shown if what in samples[0]]
        if column != "ours":
            theirs_to_mine = ratio(self.samples["ours"], samples, self.main)
            parts[0] += f" (**{theirs_to_mine:.2f}**)"
        return ", ".join(parts)

    def goal_cell(self):
        judged = [goal.judge(self.samples) for goal in self.goals]
        return "<br>".join(f"{'✓' if is_met else '✗'} {text}" for is_met, text in judged if is_met is not None) or "–"


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def note(quick, rounds):
    size = "`benches/run --quick`" if quick else "`benches/run`"
    return (f"{where()} {size}, medians of {rounds} rounds in which the servers take turns. Bold: that figure to ours, median of the rounds. "
            "CPU and peak memory are the server's, its workers counted in.")


def table(results, note_of_it):
    extra = [name for name in dict.fromkeys(name for result in results for name in result.samples) if name not in COLUMNS]
    used = [name for name in (*COLUMNS, *extra) if any(name in result.samples for result in results)]
    head = ["work", "goal of ours: reached", *used]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join([result.title, result.goal_cell(), *map(result.cell, used)])} |" for result in results]
    points = [line for result in results for line in growth_lines(result.points)]
    return "\n".join([note_of_it, "", *lines, *points, ""])


def growth_lines(points):
    if not points:
        return []
    head = f"\n| files | {' | '.join(POINTS[what][0] for what in POINTS)} |\n|{' --- |' * (len(POINTS) + 1)}"
    return [head] + [f"| {files:,} | {' | '.join(number(values[what]) + POINTS[what][1] for what in POINTS)} |"
                     for files, values in points.items()]


POINTS = {"start": ("start to first answer", " s"), "first": ("list, first byte", " s"), "whole": ("list, whole", " s"),
          "growth": ("memory for the list", " MiB"), "put": ("4 KiB PUTs, 32 connections", "/s"), "get": ("4 KiB GETs, 32 connections", "/s")}


def where():
    day = datetime.date.today().isoformat()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.strip() or "unknown"
    return (f"{day}, commit {commit}, {os.cpu_count()} cores {processor[1] if processor else platform.machine()}, "
            f"{memory:.0f} GiB, Linux {platform.release().split('-')[0]}.")


# --- The plot: one small panel for each figure, files on a logarithmic axis

WIDTH, HEIGHT, LEFT, TOP = 250, 150, 60, 34


def plot(results):
    points = next((result.points for result in results if result.points), None)
    if not points:
        return None
    panels = [panel(place, what, points) for place, what in enumerate(POINTS)]
    wide, high = 3 * (WIDTH + LEFT) + 20, 2 * (HEIGHT + 2 * TOP) + 10
    style = "text{font:12px sans-serif;fill:#333}.line{fill:none;stroke:#06c;stroke-width:2}.axis{stroke:#999}circle{fill:#06c}"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">'
            f"<style>{style}</style><rect width='100%' height='100%' fill='#fff'/>{''.join(panels)}</svg>\n")


def panel(place, what, points):
    left, top = (place % 3) * (WIDTH + LEFT) + LEFT, (place // 3) * (HEIGHT + 2 * TOP) + TOP
    most = max(values[what] for values in points.values()) * 1.1 or 1
    logs = [math.log10(files) for files in points]
    spread = (max(logs) - min(logs)) or 1

    def at(files, value):
        return left + (math.log10(files) - min(logs)) / spread * (WIDTH - 30) + 10, top + HEIGHT - value / most * HEIGHT
    places = [(files, *at(files, values[what])) for files, values in points.items()]
    line = " ".join(f"{x:.1f},{y:.1f}" for _, x, y in places)
    title, unit = POINTS[what]
    parts = [f'<text x="{left}" y="{top - 12}" font-weight="bold">{title}</text>',
             f'<path class="axis" fill="none" d="M{left},{top}V{top + HEIGHT}H{left + WIDTH - 10}"/>',
             f'<text x="{left - 4}" y="{top + 8}" text-anchor="end">{number(most)}</text>',
             f'<text x="{left - 4}" y="{top + HEIGHT}" text-anchor="end">0</text>', f'<polyline class="line" points="{line}"/>']
    for files, x, y in places:
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{files:,} files: {number(points[files][what])}{unit}</title></circle>')
        parts.append(f'<text x="{x:.1f}" y="{top + HEIGHT + 16}" text-anchor="middle">{files:,}</text>')
        parts.append(f'<text x="{x:.1f}" y="{y - 6:.1f}" text-anchor="middle">{number(points[files][what])}</text>')
    return "".join(parts)


# --- Into the documents

def write_docs(folder, text, plot_text):
    write_table(folder, "benches/run", text)
    if plot_text:
        (folder / "growth.svg").write_text(plot_text)


def write_table(folder, program, text):
    """Puts what a program printed where the page keeps its place."""
    page = folder / "benchmarks.md"
    begin, end = f"<!-- table: begin, written by {program} --write -->", "<!-- table: end -->"
    before, rest = page.read_text().split(begin)
    page.write_text(f"{before}{begin}\n{text}{end}{rest.split(end, 1)[1]}")
