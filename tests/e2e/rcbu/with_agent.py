"""A day of rackspace-backup-client, unmodified but for its identity URL, with a real agent on this machine."""

import sys
import time

import rcbu.common.auth
from rcbu.client import backup_configuration
from rcbu.client.client import Client
from rcbu.client.connection import Connection
from rcbu.common import schedule


def new_configuration(agent_id, source):
    when = schedule.manually()
    return backup_configuration.from_dict({
        "MachineAgentId": agent_id, "BackupConfigurationName": "by rcbu", "IsActive": True, "IsDeleted": False, "IsEncrypted": False,
        "VersionRetention": 30, "MissedBackupActionId": 1, "TimeZoneId": "UTC", "NotifyRecipients": "ops@example.net",
        "NotifySuccess": False, "NotifyFailure": True, "Inclusions": [{"FilePath": source}], "Exclusions": [], **when.to_api(),
        "StartTimeAmPm": when.period or "",
    })


def backed_up(client, configuration):
    backup = client.create_backup(configuration)
    backup.start()
    backup.wait_for_completion(poll_interval=0.1, timeout=120)
    report = backup.report
    report.raise_if_not_ok()
    assert report.ok and report.files_searched > 40 and report.bytes_searched > 8 << 20, repr(report)
    return backup, report


def restored(client, backup, agent, target):
    restore = client.create_restore(backup.id, agent, target, overwrite=True)
    restore.start()
    restore.wait_for_completion(poll_interval=0.1, timeout=120)
    report = restore.report
    report.raise_if_not_ok()
    assert report.files_restored > 40, repr(report)


def main():
    url, user, key, agent_id, source, target = sys.argv[1:7]
    rcbu.common.auth.IDENTITY_TOKEN_URL = url + "/v2.0/tokens"
    connection = Connection(user, "dfw", apikey=key)
    client = Client(connection)
    agent = client.get_agent(int(agent_id))
    assert agent.online and agent.vault_size >= 0 and not agent.encrypted
    configuration = new_configuration(int(agent_id), source)
    configuration.connect(connection)
    configuration.create()
    backup, first = backed_up(client, configuration)
    _, again = backed_up(client, configuration)
    assert again.bytes_stored < first.bytes_stored / 4, (first.bytes_stored, again.bytes_stored)
    restored(client, backup, agent, target + "/plain")
    if len(sys.argv) > 7:
        # It reads the agent's public key from /etc/driveclient.
        agent.encrypt(b"a passphrase")
        ends = time.monotonic() + 120
        while not client.get_agent(int(agent_id)).encrypted:
            assert time.monotonic() < ends, "the agent is not encrypted"
            time.sleep(0.1)
        sealed, _ = backed_up(client, configuration)
        restored(client, sealed, agent, target + "/sealed")
    configuration.delete()
    agent.delete()
    assert list(client.agents) == []
    print("done", flush=True)


main()
