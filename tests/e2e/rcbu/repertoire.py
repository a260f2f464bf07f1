"""The whole repertoire of rackspace-backup-client, unmodified but for its identity URL, against a server whose agent is the test.

Lines on standard output that begin with "agent " ask the test's agent for something; one line on standard input answers.
"""

import sys

import rcbu.common.auth
from Crypto.Cipher import PKCS1_v1_5
from Crypto.PublicKey import RSA
from rcbu.client import backup_configuration
from rcbu.client.client import Client
from rcbu.client.connection import Connection
from rcbu.common import schedule


def agent(what):
    print("agent " + what, flush=True)
    answer = sys.stdin.readline().strip()
    assert answer, "the agent says nothing to " + what
    return answer


def expect(found, wanted, what):
    assert found == wanted, "%s: %r, not %r" % (what, found, wanted)


def new_configuration(agent_id, when):
    return backup_configuration.from_dict({
        "MachineAgentId": agent_id, "BackupConfigurationName": "by rcbu", "IsActive": True, "IsDeleted": False, "IsEncrypted": False,
        "VersionRetention": 30, "MissedBackupActionId": 1, "TimeZoneId": "Eastern Standard Time", "NotifyRecipients": "ops@example.net",
        "NotifySuccess": False, "NotifyFailure": True, "Inclusions": [{"FilePath": "/etc"}], "Exclusions": [], **when.to_api(),
        "StartTimeAmPm": when.period or "",
    })


def connect(url, user, key, password):
    rcbu.common.auth.IDENTITY_TOKEN_URL = url + "/v2.0/tokens"
    connection = Connection(user, "dfw", apikey=key)
    expect(len(connection.token), 32, "the token")
    expect(connection.tenant, "5501", "the tenant")
    expect(connection.api_version_tuple, (1, 0), "the version")
    expect(connection.host, url + "/v1.0", "the host")
    assert connection.expires.tzinfo is not None
    expect(Connection(user, "DFW", password=password).tenant, "5501", "the tenant by password")
    return connection


def configurations(client, connection, agent_id):
    configuration = new_configuration(agent_id, schedule.daily(20, 30))
    configuration.connect(connection)
    configuration.create()
    assert configuration.id > 0
    listed = [known.id for known in client.backup_configurations]
    expect(listed, [configuration.id], "the list")
    expect([known.id for known in client.get_agent(agent_id).backup_configurations], listed, "the agent's list")
    expect(client.get_backup_configuration(configuration.id).schedule, schedule.daily(20, 30), "the schedule")
    for when in [schedule.weekly(6, 0, 5), schedule.daily(0, 0), schedule.daily(12, 0), schedule.hourly(23), schedule.manually()]:
        configuration.reschedule(when)
        configuration.update()
        configuration.reload()
        expect(configuration.schedule, when, "after an update")
    configuration.rename("renamed")
    configuration.exclude(["/etc/ssl"])
    configuration.update_notification_settings("a@example.net; b@example.net", notify_on_failure=False, notify_on_success=True)
    configuration.update()
    configuration.reload()
    expect((configuration.name, configuration.exclusions, configuration.inclusions), ("renamed", {"/etc/ssl"}, {"/etc"}), "what was set")
    expect((configuration.notify_on_failure, configuration.notify_on_success), (False, True), "the flags")
    configuration.disable()
    configuration.enable()
    configuration.reload()
    assert configuration.enabled and not configuration.deleted and not configuration.encrypted
    return configuration


def backups(client, configuration):
    backup = client.create_backup(configuration)
    backup.start()
    assert backup.id > 0 and client.busy
    expect([activity.id for activity in client.active_backups], [backup.id], "what runs")
    agent("backup %d" % backup.id)
    backup.wait_for_completion(poll_interval=0, timeout=60)
    report = backup.report
    report.raise_if_not_ok()
    assert report.ok and report.duration >= 0 and report.started <= report.ended
    expect((report.files_searched, report.files_stored, report.bytes_searched), (412, 6, 100 * 1024 * 1024), "the report")
    assert "ok:True" in repr(report)
    expect(client.get_backup_report(backup.id)["CanRestore"], True, "the raw report")
    expect(client.get_backup(backup.id)._state, "Completed", "the backup by its id")
    stopped = client.create_backup(configuration)
    stopped.start()
    stopped.stop()
    stopped.wait_for_completion(poll_interval=0, timeout=60)
    expect(stopped.state, "Stopped", "a backup that nobody had taken")
    expect([activity.id for activity in client.backup_history], [stopped.id, backup.id], "the history")
    return backup


def restores(client, backup, source):
    restore = client.create_restore(backup.id, source, "/restore/here", overwrite=True)
    assert restore.overwrites
    restore.start()
    expect([activity.id for activity in client.active_restores], [restore.id], "what is restored")
    agent("restore %d" % restore.id)
    restore.wait_for_completion(poll_interval=0, timeout=60)
    report = restore.report
    report.raise_if_not_ok()
    expect((report.files_restored, report.bytes_restored), (35, 18 * 1024 * 1024), "the report")
    assert report.destination.startswith("web-a ")
    client.get_restore(restore.id)
    expect([activity.id for activity in client.restore_history], [restore.id], "the history")
    assert not client.busy and list(client.active) == [] and list(client.cleanup_history) == []


def agents(client, agent_id, private_key):
    listed = list(client.agents)
    expect([known.id for known in listed], [agent_id], "the agents")
    known = client.get_agent(agent_id)
    assert known.online and known.vault_size >= 0 and not known.encrypted
    expect((known.name, known.os, known.data_center, known.version), ("web-a", "Debian 12", "DFW", "2.0.1"), "the agent")
    known.disable()
    assert client.get_agent(agent_id)._enabled is False
    known.enable()
    assert client.get_agent(agent_id)._enabled is True
    expect(len(list(known.backup_history)), 2, "the agent's history")
    if private_key:
        known.encrypt(b"a passphrase")
        sent = bytes.fromhex(agent("encrypt"))
        expect(PKCS1_v1_5.new(RSA.importKey(private_key)).decrypt(sent, None), b"a passphrase", "what the agent reads")
        assert client.get_agent(agent_id).encrypted
    return known


def main():
    if sys.argv[1] == "key":
        key = RSA.generate(2048)
        with open(sys.argv[2], "wb") as private, open(sys.argv[3], "wb") as public:
            private.write(key.exportKey())
            public.write(key.publickey().exportKey())
        print("%0512x" % key.n)
        return
    url, user, key, password, agent_id, private_file = sys.argv[2:8]
    connection = connect(url, user, key, password)
    client = Client(connection)
    configuration = configurations(client, connection, int(agent_id))
    backup = backups(client, configuration)
    restores(client, backup, client.get_agent(int(agent_id)))
    known = agents(client, int(agent_id), open(private_file).read() if private_file else None)
    configuration.delete()
    expect(list(client.backup_configurations), [], "what is left")
    known.delete()
    expect(list(client.agents), [], "what is left of the agents")
    print("done", flush=True)


main()
