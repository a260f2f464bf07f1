"""Large stores, made without their server: real files under their keys, and the rows that a million PUTs would have left."""
import base64
import concurrent.futures
import datetime
import hashlib
import os
import sqlite3
import time

CONTENT = b"x" * 1000
SHA256 = hashlib.sha256(CONTENT).digest()
FILES_A_FOLDER = 1000


def name(number):
    return f"/{number // FILES_A_FOLDER:05}/a-file-with-a-usual-name-{number % FILES_A_FOLDER:04}.tar.gz"


def blob_id(number):
    """Random enough to be spread over the index, and the same each time."""
    return base64.b32encode(hashlib.md5(number.to_bytes(8, "big")).digest()).decode().rstrip("=").lower()


def fill(server, files, days_old=1, days_kept=30, checked_days_ago=0):
    """Adds files to the first account of a store that nobody serves, and that holds a sample of them. They were made `days_old`
    days ago and are kept `days_kept`."""
    made = int(time.time()) - days_old * 86_400
    workers = os.cpu_count() or 1
    parts = [(server.folder / server.account, made, range(files)[part::workers]) for part in range(workers)]
    folders = {name(number).rsplit("/", 1)[0] for number in range(0, files, FILES_A_FOLDER)}
    for folder in sorted(folders):
        os.makedirs(f"{server.folder / server.account}{folder}", mode=0o700, exist_ok=True)
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        list(pool.map(write_blobs, parts))
    write_rows(server.data / "catalog.db", server.account, files, made, days_kept, int(time.time()) - checked_days_ago * 86_400)
    os.sync()


def write_blobs(part):
    folder, made, numbers = part
    created = datetime.datetime.fromtimestamp(made, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in numbers:
        path = f"{folder}{name(number)}@{created}-{SHA256.hex()}-{blob_id(number)}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(handle, CONTENT)
        os.close(handle)


def write_rows(path, account, files, made, days_kept, checked):
    ends = (made + days_kept * 86_400) * 1_000_000
    rows = ((blob_id(number), account, name(number).encode(), len(CONTENT), SHA256, number, made * 1_000_000 + number, made, ends,
             checked * 1_000_000 + number) for number in range(files))
    catalog = sqlite3.connect(path)
    # Every file has the sample's bytes, and so its block sums.
    (sums,) = catalog.execute("SELECT sums FROM block_sums").fetchone()
    catalog.execute("PRAGMA synchronous = OFF")
    catalog.execute("PRAGMA cache_size = -500000")
    with catalog:
        catalog.executemany("INSERT INTO files (random, account, name, state, size, sha256, change, created_at, kept_from, expires_at,"
                            " checked_at) VALUES (?, ?, ?, 'live', ?, ?, ?, ?, ?, ?, ?)", rows)
        catalog.executemany("INSERT INTO block_sums (random, format, sums) VALUES (?, 1, ?)",
                            ((blob_id(number), sums) for number in range(files)))
        catalog.execute("UPDATE accounts SET used = used + ?, change = ? WHERE id = ?", (files * (len(CONTENT) + 8192), files, account))
        catalog.execute("UPDATE retentions SET days = ? WHERE account = ?", (days_kept, account))
    catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    catalog.close()

