"""The works that are measured, and the goal of each."""
import os
import subprocess

import growth
import vaults
from loads import KIB_4, end, figures, get, load, loaded, make_file, put, put_and_forget, seconds
from measure import MIB, rounds, run_all, sync_file, turn
from report import Goal, Result
from tools import say

ALL = ("ours", "nginx", "nginx + sync", "rclone", "dufs")


def chosen(only):
    names = [name for name in only.split(",") if name] or list(WORKS)
    if unknown := [name for name in names if name not in WORKS]:
        raise SystemExit(f"unknown works: {', '.join(unknown)}; there are {', '.join(WORKS)}")
    return [WORKS[name] for name in names]


# --- Large files

def large_over_tls(bench, count):
    return large(bench, count, True, [Goal("nginx + sync", "wall", 1.0), Goal("rclone", "wall", 1.0), Goal("dufs", "wall", 1.0)],
                 [Goal("nginx", "wall", 1.1)])


def large_plainly(bench, count):
    return large(bench, count, False, [Goal("nginx + sync", "wall", 1.1)], [Goal("nginx", "wall", 1.3)])


def large(bench, count, is_tls, put_goals, get_goals):
    size = 256 * MIB if bench.quick else 1024 * MIB
    source = make_file(bench, size)
    over = "TLS" if is_tls else "plain HTTP"
    contestants = bench.contestants(is_tls, *ALL)
    try:
        say(f"PUT and GET over {over}")
        for server in contestants.values():
            put(server, source, "stays")
        puts = rounds(contestants, count, lambda server, number: put_and_forget(server, source, f"put-{number}"))
        pairs = {name: server for name, server in contestants.items() if name != "nginx + sync"}
        gets = rounds(pairs, count, lambda server, _: turn(server, lambda: get(server, "stays"), size))
    finally:
        end(contestants)
    text = "1 GiB" if size == 1024 * MIB else f"{size // MIB} MiB"
    put_goals = [*put_goals, Goal("nginx", "cpu", plus=0.75 * size / (1024 * MIB))]
    return [Result(f"PUT of {text} by `curl -T`, {over}", puts, "wall", put_goals),
            Result(f"GET of {text} by `curl`, {over}", gets, "wall", get_goals)]


# --- Small files

def small_puts(bench, count):
    contestants = bench.contestants(True, *ALL) | {"floor": Floor(bench)}
    results = []
    try:
        for connections in (1, 32):
            say(f"4 KiB PUTs, {connections} connections")
            samples = rounds(contestants, count, lambda server, number: small_put(server, connections, number))
            goals = [Goal("floor", "rate", 0.9)] if connections == 1 else [Goal("floor", "rate", 1.3), Goal("nginx", "rate", 0.9)]
            plural = "" if connections == 1 else "s"
            results.append(Result(f"4 KiB PUTs, keep-alive, {connections} connection{plural}, TLS", samples, "rate", goals))
    finally:
        end(contestants)
    return results


def small_put(server, connections, number):
    if isinstance(server, Floor):
        return server.run(connections)
    return loaded(server, "put", connections, seconds(server.bench), f"/{connections}-{number}")


def small_gets(bench, count):
    names, contestants = 1000, bench.contestants(True, "ours", "nginx", "rclone", "dufs")
    say("4 KiB GETs, 32 connections")
    try:
        for server in contestants.values():
            load(server, "put", 1, 600, "/get", f"names={names}")
        samples = rounds(contestants, count, lambda server, _: loaded(server, "get", 32, seconds(server.bench), "/get", f"names={names}"))
    finally:
        end(contestants)
    return [Result("4 KiB GETs, keep-alive, 32 connections, TLS", samples, "rate", [Goal("nginx", "rate", 0.7)])]


class Floor:
    """The floor program stands in for a server."""

    def __init__(self, bench):
        self.bench, self.folder = bench, bench.folder / "floor"

    def run(self, threads):
        os.sync()
        return figures([self.bench.tools.floor, self.folder, threads, seconds(self.bench), KIB_4], "floor")

    def stop(self):
        pass

    def clear(self):
        pass


# --- Many transfers at once

def at_once(bench, count):
    transfers, size = 16, (32 if bench.quick else 256) * MIB
    names = ("ours", "nginx", "nginx + sync") if bench.quick else ALL
    source, contestants = make_file(bench, size), bench.contestants(True, *names)
    say(f"{transfers} uploads and {transfers} downloads at once")
    try:
        for server in contestants.values():
            put(server, source, "stays")
        samples = rounds(contestants, count, lambda server, number: many(server, source, transfers, number))
    finally:
        end(contestants)
    for sample in [sample for column in samples.values() for sample in column]:
        sample["mib_s"] = 2 * transfers * size / MIB / sample["wall"]
    goals = [Goal("nginx", "mib_s", 0.9), Goal(None, "peak", 32 + 2 * 2 * transfers)]
    return [Result(f"{transfers} uploads and {transfers} downloads of {size // MIB} MiB at once, TLS", samples, "mib_s", goals)]


def many(server, source, transfers, number):
    names = [f"many-{number}-{transfer}" for transfer in range(transfers)]
    uploads = [(server.curl("-o", "/dev/null", "-T", source, f"{server.url}/{name}"),
                (lambda name=name: sync_file(server.folder / name)) if server.syncs else None) for name in names]
    downloads = [(server.curl("-o", "/dev/null", f"{server.url}/stays"), None)] * transfers
    sample = turn(server, lambda: run_all(uploads + downloads), 2 * transfers * source.stat().st_size)
    for name in names:
        server.forget(name)
    return sample


WORKS = {
    "large": large_over_tls,
    "plain": large_plainly,
    "small": small_puts,
    "gets": small_gets,
    "many": at_once,
    "growth": growth.growth,
    "expiry": growth.expiry,
    "backups": vaults.large_backups,
    "trees": vaults.small_backups,
}
