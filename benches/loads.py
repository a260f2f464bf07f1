"""The loads that works are made of: transfers by curl, small requests by our own program."""
import json
import subprocess

from measure import MIB, sync_file, turn

KIB_4 = 4096


def put_and_forget(server, source, name):
    sample = turn(server, lambda: put(server, source, name), 2 * source.stat().st_size)
    server.forget(name)
    return sample


def put(server, source, name):
    subprocess.run(server.curl("-o", "/dev/null", "-T", source, f"{server.url}/{name}"), check=True)
    if server.syncs:
        sync_file(server.folder / name)


def get(server, name):
    subprocess.run(server.curl("-o", "/dev/null", f"{server.url}/{name}"), check=True)


def make_file(bench, size):
    path = bench.folder / f"source-{size}"
    if not path.exists():
        block = random_block()
        with open(path, "wb") as file:
            for number in range(size // len(block)):
                file.write(number.to_bytes(8, "big") + block[8:])
    return path


def random_block():
    with open("/dev/urandom", "rb") as source:
        return source.read(MIB)


def loaded(server, *arguments):
    """A turn of small requests: their rate and what one costs in CPU."""
    sample = turn(server, lambda: load(server, *arguments))
    return sample | {"cpu_us": sample["cpu"] * 1e6 / max(sample["done"], 1)}


def load(server, method, connections, time, prefix, *options):
    options = [*options, f"user={server.user}"]
    if server.is_tls:
        options.append(f"ca={server.bench.certificate[0]}")
    if server.syncs:
        options.append(f"sync={server.folder}")
    command = [server.bench.tools.load, method, f"127.0.0.1:{server.port}", connections, time, KIB_4, prefix, *options]
    return figures(command, server.name)


def figures(command, name):
    printed = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    told = json.loads(printed)
    if told["failed"]:
        raise RuntimeError(f"{name}: {told['failed']} requests of {told['done'] + told['failed']} failed")
    return told | {"rate": told["done"] / told["seconds"]}


def seconds(bench):
    return 1 if bench.quick else 4


def end(contestants):
    for server in contestants.values():
        server.stop()
        server.clear()
