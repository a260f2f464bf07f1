"""Stores of many files: what starting, listing and expiring them costs."""
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import stores
from loads import load, loaded, make_file, put, seconds
from measure import MIB, median, rounds, turn
from report import Goal, Result
from servers import Ours
from tools import say


def growth(bench, count):
    """Start, list and small requests on ever larger stores."""
    points = {}
    for files in (1_000, 100_000) if bench.quick else (10_000, 100_000, 1_000_000):
        say(f"a store of {files:,} files")
        server = Ours(bench, f"grown-{files}", True)
        with_files(server, files)
        starts, lists, puts, gets = [], [], [], []
        for number in range(count):
            starts.append(first_answer(server))
            server.settle()
            lists.append(listed(server))
            puts.append(loaded(server, "put", 32, seconds(bench), f"/put-{number}"))
            load(server, "put", 1, 600, f"/get-{number}", "names=1000")
            gets.append(loaded(server, "get", 32, seconds(bench), f"/get-{number}", "names=1000"))
            server.stop()
        server.clear()
        points[files] = {"start": median(starts, "start"), "put": median(puts, "rate"), "get": median(gets, "rate")}
        points[files] |= {what: median(lists, what) for what in ("first", "whole", "growth")}
    started = Result(f"start over {files:,} files, to the first answer", {"ours": starts}, "start", [Goal(None, "start", 1.0)], ("start", "peak"))
    goals = [Goal(None, "first", 0.2), Goal(None, "whole", 4.0), Goal(None, "growth", 8.0)]
    shown = ("first", "whole", "growth", "cpu", "peak")
    return [Result(f"list of {files:,} files, TLS", {"ours": lists}, "whole", goals, shown), ended(started, points)]


def ended(result, points):
    result.points = points
    return result


def with_files(server, files, **how):
    """Makes the store by starting the server once, then fills it while nobody serves it."""
    server.start()
    subprocess.run(server.curl("-o", "/dev/null", "-T", "-", "-H", "Transfer-Encoding:", "-H", f"Content-Length: {len(stores.CONTENT)}",
                               f"{server.url}/sample"), input=stores.CONTENT, check=True)
    server.stop()
    stores.fill(server, files, **how)


def first_answer(server):
    os.sync()
    began = time.monotonic()
    server.start()
    subprocess.run(server.curl("-o", "/dev/null", "-I", server.url + stores.name(0)), check=True)
    return {"start": time.monotonic() - began, "peak": server.memory("VmHWM")}


def listed(server):
    """The whole list; the growth is counted from what the server held after a short one."""
    subprocess.run(server.curl("-o", "/dev/null", server.url + "/?limit=1000"), check=True)
    server.forget_peak()
    before = server.memory("VmRSS")

    def ask():
        asked = server.curl("-o", "/dev/null", "-w", "%{time_starttransfer} %{time_total} %{size_download}", server.url + "/")
        first, whole, _ = subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        return {"first": float(first), "whole": float(whole)}
    sample = turn(server, ask)
    return sample | {"growth": max(sample["peak"] - before, 0)}


def expiry(bench, count):
    """Uploads to a store at rest, and to one whose files all expire while it scrubs. The one that has no turn is stopped."""
    files = 20_000 if bench.quick else 1_000_000
    at_rest, expiring = Ours(bench, "at-rest", True), Ours(bench, "expiring", True)
    say(f"two stores of {files:,} files, of which one expires")
    with_files(at_rest, files, days_old=60, days_kept=365)
    with_files(expiring, files, days_old=60, days_kept=30, checked_days_ago=60)
    contestants = {"ours": expiring, "at rest": at_rest}
    source = make_file(bench, (64 if bench.quick else 256) * MIB)
    results = []
    try:
        for server in contestants.values():
            server.start()
        at_rest.settle()
        pause(expiring, True)
        pause(at_rest, True)

        def while_running(work):
            def sample(server, number):
                pause(server, False)
                before, began = gone(server), time.monotonic()
                measured = work(server, number)
                measured["ended"] = (gone(server) - before) / (time.monotonic() - began)
                pause(server, True)
                return measured
            return sample
        small = while_running(lambda server, number: loaded(server, "put", 8, seconds(bench), f"/small-{number}"))
        # So many that what goes on beside them comes and rests as often as it does in the long run.
        many = 8
        large = while_running(lambda server, number: puts(server, source, many, f"large-{number}"))
        samples = rounds(contestants, count, small)
        shown = ("rate", "p99_ms", "cpu_us", "ended")
        results.append(Result(f"4 KiB PUTs, 8 connections, while {files:,} files expire and are scrubbed", samples, "rate",
                              [Goal("at rest", "rate", 0.9)], shown))
        samples = rounds(contestants, count, large)
        results.append(Result(f"{many} PUTs of {source.stat().st_size // MIB} MiB while {files:,} files expire and are scrubbed", samples, "wall",
                              [Goal("at rest", "wall", 1.1)], ("wall", "cpu", "ended")))
    finally:
        for server in contestants.values():
            if server.process:
                server.stop()
            shutil.rmtree(server.home, ignore_errors=True)
    return results


def puts(server, source, many, prefix):
    """One after the other."""
    names = [f"{prefix}-{number}" for number in range(many)]

    def work():
        for name in names:
            put(server, source, name)
    sample = turn(server, work, 2 * many * source.stat().st_size)
    for name in names:
        server.forget(name)
    return sample


def pause(server, stops):
    server.process.send_signal(signal.SIGSTOP if stops else signal.SIGCONT)


def gone(server):
    """How many files have ended."""
    with sqlite3.connect(f"file:{server.data}/catalog.db?mode=ro", uri=True) as catalog:
        return catalog.execute("SELECT count(*) FROM ended").fetchone()[0]
