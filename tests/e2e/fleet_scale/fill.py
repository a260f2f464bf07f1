"""Makes a database with rows for a catalog: TENANTS tenants with 100 agents each, two configurations an agent, and RUNS backups in all.

The key of agent N is SHA-256("agent N"), as 32 bytes.
"""

import hashlib
import itertools
import sqlite3
import sys
import time

target, tenants, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DAY = 86_400_000_000
now = int(time.time() * 1_000_000)
db = sqlite3.connect(target)
db.execute("PRAGMA synchronous = OFF")


def insert(table, rows):
    rows = iter(rows)
    first = next(rows)
    names = ", ".join(first)
    places = ", ".join("?" * len(first))
    db.execute("CREATE TABLE %s (%s)" % (table, names))
    db.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, names, places), list(first.values()))
    while batch := [list(row.values()) for row in itertools.islice(rows, 20_000)]:
        db.executemany("INSERT INTO %s (%s) VALUES (%s)" % (table, names, places), batch)
        db.commit()


agents = 100 * tenants
account = lambda number: "A%05d" % number
tenant = lambda number: "t%d" % (number // 100)
insert("accounts", (dict(id=account(n), kind="vault", description="", password=bytes(32), quota=None, used=0, change=0, changed_at=0,
                         created_at=now) for n in range(agents)))
insert("retentions", (dict(account=account(n), from_at=now, until_at=2**63 - 1, days=90) for n in range(agents)))
insert("generations", (dict(account=account(n), number=1, encrypted=0, made_at=now) for n in range(agents)))
insert("agents", (dict(
    id=1_000_000 + n, tenant=tenant(n), account=account(n), key=hashlib.sha256(hashlib.sha256(b"agent %d" % n).digest()).digest(),
    fingerprint="00" * 32, incarnation=1, version="2.0.1", machine_name="machine-%d" % n, host_server_id="host-%d" % n,
    ip_address="203.0.113.7", operating_system="Debian", operating_system_version="12", architecture="64-bit", datacenter="DFW",
    backup_datacenter="DFW", modulus="b3" * 256, exponent=65537, uses_service_net=0, uses_failover=0, log_level=3, disabled=0,
    registered_at=now, seen_at=now, seen_served=0, work=n, cleanup_due_at=now + 3000 * DAY, last_success_at=now, vault_bytes=1 << 30,
) for n in range(agents)))
insert("configurations", (dict(
    id=2_000_000 + n, schedule=3_000_000 + n, tenant=tenant(n // 2), agent=1_000_000 + n // 2, name="configuration %d" % (n % 2), active=1,
    frequency="Daily", hour=2, minute=30, half="AM", day=None, every_hours=None, zone="UTC", anchor_at=now, next_at=now + 3000 * DAY,
    recipients="ops@example.net", notify_success=0, notify_failure=1, retention_days=0, missed_action=1, prescript="", postscript="",
    selection='{"inclusions":[{"id":1,"type":1,"path":"/etc","raw":null}],"exclusions":[]}', size=100, keeps_backups=0,
) for n in range(2 * agents)))


def backup(n):
    configuration = n % (2 * agents)
    at = now - (runs - n) * 1_000_000
    name = b"/g1/snapshots/" + hashlib.sha256(b"%d" % n).hexdigest().encode()
    return configuration, at, name


def run(n):
    configuration, at, name = backup(n)
    agent = 1_000_000 + configuration // 2
    return dict(id=10_000_000 + n, kind="Backup", tenant=tenant(configuration // 2), agent=agent, source=agent, maker=agent,
                configuration=2_000_000 + configuration, state="Completed", live=0, attempt=1, catch_up=0, occurrences=1, changed_at=at,
                changed_served=0, progress_served=0, started_at=at, completed_at=at, files_searched=412, bytes_searched=1 << 20, errors=0,
                snapshot=name, snapshot_number=n, generation=1, hidden_bytes=0, hidden_most=0)


def snapshot(n):
    configuration, at, name = backup(n)
    return dict(random="%026d" % n, account=account(configuration // 2), name=name, state="live", size=300, sha256=bytes(32), change=1,
                created_at=at, kept_from=at // 1_000_000, checked_at=now)


insert("runs", (run(n) for n in range(runs)))
insert("files", (snapshot(n) for n in range(runs)))
db.commit()
