"""What is measured: the time on the wall, the server's CPU seconds and its peak of memory, workers counted in."""
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


class Watch:
    """Looks at a running process and its children through /proc."""

    def pids(self):
        found, open_ = [], [self.process.pid]
        while open_:
            pid = open_.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    open_ += [int(word) for word in task.read_text().split()]
                except OSError:
                    pass
        return found

    def cpu_seconds(self):
        seconds = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            seconds += sum(int(ticks) for ticks in fields[11:15]) / TICKS
        return seconds

    def memory(self, what):
        """`VmHWM` or `VmRSS` of all processes together, in MiB."""
        sizes = 0
        for pid in self.pids():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            sizes += next(int(line.split()[1]) for line in status.splitlines() if line.startswith(what + ":"))
        return sizes / 1024

    def forget_peak(self):
        for pid in self.pids():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def settle(self, seconds=120):
        """Waits until the server has nothing more to do by itself."""
        end, before = time.monotonic() + seconds, self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(1)
            now = self.cpu_seconds()
            if now - before < 0.04:
                return
            before = now


def turn(server, work, needs=0):
    """Does `work` with clean caches of the disk and so many bytes of free memory at hand; its own figures come on top of wall, CPU
    and peak."""
    os.sync()
    take_in_hand(needs)
    server.forget_peak()
    cpu, began = server.cpu_seconds(), time.monotonic()
    values = work() or {}
    wall = time.monotonic() - began
    return {"wall": wall, "cpu": server.cpu_seconds() - cpu, "peak": server.memory("VmHWM")} | values


TOUCH = """
import mmap, sys
size = int(sys.argv[1])
memory = mmap.mmap(-1, size)
for page in range(0, size, mmap.PAGESIZE):
    memory[page] = 1
"""


def take_in_hand(size):
    """Touches so much memory, half of what is free at most, and gives it back. A virtual machine lends what nobody uses to its host, and whoever is the first
    to use it again waits for it: up to two seconds a GiB."""
    if size := min(size, available_bytes() // 2):
        # By a program of its own: what this one has at its peak would count as the peak of whatever it starts.
        subprocess.run([sys.executable, "-c", TOUCH, str(size)], check=True)


def available_bytes():
    fields = dict(line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def program(command, environment, folder, reads=(), needs=0):
    """Runs a program to its end, with clean caches of the disk, with what it `reads` on the disk alone, and with so many bytes of free
    memory at hand: its wall time, its CPU seconds and its peak of memory, those of the children that it waited for counted in."""
    # The file system of the folder alone: another one's server may be dead, and a sync of all would wait for it for ever.
    subprocess.run(["sync", "-f", str(folder)], check=True)
    leave_cache(reads)
    take_in_hand(needs)
    with tempfile.TemporaryFile() as told:
        began = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {told.read()[-2000:].decode(errors='replace')}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}


def leave_cache(places):
    """Takes the files below the places, which are synced, out of the page cache."""
    for path in (path for place in places for path in pathlib.Path(place).rglob("*") if path.is_file() and not path.is_symlink()):
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def rounds(contestants, count, work):
    """Each server has its turn in every round. Another one begins each time, and another step leads on: whoever always came after the
    slowest would always find the memory that the host has taken back meanwhile. Samples by name."""
    names = list(contestants)
    steps = [step for step in range(1, len(names)) if math.gcd(step, len(names)) == 1] or [1]
    samples = {name: [] for name in names}
    for number in range(count):
        step = steps[number % len(steps)]
        for place in range(len(names)):
            name = names[(number + place * step) % len(names)]
            samples[name].append(work(contestants[name], number))
    return samples


def run_all(commands):
    """Runs shell-less commands at once, each with what follows it, and waits for all."""
    failures = []

    def run(command, after):
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if ended.returncode:
            failures.append(ended.stderr)
        elif after:
            after()
    threads = [threading.Thread(target=run, args=pair) for pair in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(failures[0])


def sync_file(path):
    """What makes a file and its name durable."""
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def median(samples, what):
    return statistics.median(sample[what] for sample in samples)


def ratio(mine, theirs, what):
    """The median of what theirs was to mine, round by round: noise that hits a round hits both."""
    pairs = [their[what] / my[what] for my, their in zip(mine, theirs) if my[what]]
    return statistics.median(pairs) if pairs else float("nan")
