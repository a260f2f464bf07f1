-- Machines that are backed up, and what is wanted of them. Instants are microseconds; those that end in _served are of the
-- clock that runs only while a server does ('served' in fleet_clock).
CREATE TABLE agents (
    id BIGINT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    -- The vault that is its own now.
    account TEXT NOT NULL,
    -- SHA-256 of the agent's key.
    key BYTEA NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    -- Raised by each start-up; a process of an older one is told so.
    incarnation BIGINT NOT NULL,
    version TEXT NOT NULL,
    machine_name TEXT NOT NULL,
    host_server_id TEXT NOT NULL,
    ip_address TEXT NOT NULL,
    operating_system TEXT NOT NULL,
    operating_system_version TEXT NOT NULL,
    architecture TEXT NOT NULL,
    datacenter TEXT NOT NULL,
    backup_datacenter TEXT NOT NULL,
    -- RSA, in hexadecimal digits and as a number.
    modulus TEXT NOT NULL,
    exponent BIGINT NOT NULL,
    uses_service_net BIGINT NOT NULL,
    uses_failover BIGINT NOT NULL,
    log_level BIGINT NOT NULL,
    disabled BIGINT NOT NULL,
    registered_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    seen_served BIGINT NOT NULL,
    -- The number of the last change of what is wanted of it.
    work BIGINT NOT NULL,
    cleanup_due_at BIGINT NOT NULL,
    last_success_at BIGINT,
    -- Live bytes of its vault when its last run ended.
    vault_bytes BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX agents_tenant ON agents (tenant, id);
CREATE INDEX agents_host ON agents (tenant, host_server_id);
CREATE INDEX agents_account ON agents (account);
CREATE INDEX agents_work ON agents (work);
CREATE INDEX agents_cleanup ON agents (cleanup_due_at) WHERE deleted_at IS NULL;

-- Repositories of a vault account, g1 and on; the highest is written to.
CREATE TABLE generations (
    account TEXT NOT NULL,
    number BIGINT NOT NULL,
    -- 1 where only the user's passphrase opens it.
    encrypted BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    -- When the agent said that its repository is made.
    ready_at BIGINT,
    PRIMARY KEY (account, number)
);

CREATE TABLE configurations (
    id BIGINT NOT NULL PRIMARY KEY,
    schedule BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    agent BIGINT NOT NULL,
    name TEXT NOT NULL,
    active BIGINT NOT NULL,
    frequency TEXT NOT NULL,
    hour BIGINT,
    minute BIGINT,
    half TEXT,
    day BIGINT,
    every_hours BIGINT,
    zone TEXT NOT NULL,
    -- From when an hourly schedule counts.
    anchor_at BIGINT NOT NULL,
    next_at BIGINT,
    recipients TEXT NOT NULL,
    notify_success BIGINT NOT NULL,
    notify_failure BIGINT NOT NULL,
    retention_days BIGINT NOT NULL,
    missed_action BIGINT NOT NULL,
    prescript TEXT NOT NULL,
    postscript TEXT NOT NULL,
    -- Inclusions and exclusions, JSON.
    selection TEXT NOT NULL,
    size BIGINT NOT NULL,
    -- The newest missed occurrence that a run is still to make good.
    catch_up_at BIGINT,
    -- When a missed occurrence was last mailed; null after a success.
    missed_mailed_at BIGINT,
    deleted_at BIGINT,
    -- 1 where it went with its agent: backups that another agent took over stay.
    keeps_backups BIGINT NOT NULL
);
CREATE UNIQUE INDEX configurations_name ON configurations (agent, name) WHERE deleted_at IS NULL;
CREATE INDEX configurations_tenant ON configurations (tenant, id);
CREATE INDEX configurations_agent ON configurations (agent, id);
CREATE INDEX configurations_due ON configurations (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX configurations_missed ON configurations (agent) WHERE catch_up_at IS NOT NULL;

-- Backups, restores and cleanups, from their making on; restores that were never started are in state Creating.
CREATE TABLE runs (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    -- Who does it.
    agent BIGINT NOT NULL,
    -- Whose vault it reads or writes.
    source BIGINT NOT NULL,
    -- Who made the backup, whoever has its vault now.
    maker BIGINT NOT NULL,
    configuration BIGINT,
    -- Of a restore.
    backup BIGINT,
    state TEXT NOT NULL,
    -- 1 while something is wanted of the agent.
    live BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    due_at BIGINT,
    catch_up BIGINT NOT NULL,
    -- For how many occurrences it stands.
    occurrences BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_served BIGINT NOT NULL,
    progress_served BIGINT NOT NULL,
    started_at BIGINT,
    completed_at BIGINT,
    -- The run after whose end by the watchdog a report came, that this one records.
    late_of BIGINT UNIQUE,
    -- What the agent was handed, JSON; null until it took the run.
    settings TEXT,
    -- Counters, reason, diagnostics and errors, JSON.
    report TEXT,
    files_searched BIGINT NOT NULL,
    bytes_searched BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    -- The name of the snapshot in its vault, /gN/snapshots/ID.
    snapshot BYTEA,
    snapshot_number BIGINT,
    generation BIGINT,
    -- When it was put into a cleanup's list.
    forgotten_at BIGINT,
    -- When its snapshot was first missed in the vault, though no cleanup was to forget it; null once it is there again.
    vanished_at BIGINT,
    -- Bytes that a cleanup has hidden, and how many it may before somebody says that this is right.
    hidden_bytes BIGINT NOT NULL,
    hidden_most BIGINT NOT NULL,
    -- A restore's passphrase, as it was sent; only until the agent has it.
    ciphertext BYTEA,
    -- A restore that was deleted.
    deleted_at BIGINT
);
CREATE UNIQUE INDEX runs_due ON runs (configuration, due_at, catch_up) WHERE due_at IS NOT NULL;
CREATE INDEX runs_live ON runs (agent, id) WHERE live = 1;
CREATE INDEX runs_tenant ON runs (tenant, changed_at);
CREATE INDEX runs_agent ON runs (agent, changed_at);
CREATE INDEX runs_source ON runs (source, changed_at);
CREATE INDEX runs_configuration ON runs (configuration, id);
CREATE INDEX runs_restorable ON runs (configuration, completed_at) WHERE snapshot IS NOT NULL AND forgotten_at IS NULL;
CREATE INDEX runs_snapshot ON runs (source, snapshot) WHERE snapshot IS NOT NULL;

-- What a user asked of an agent: encrypt, change or verify its passphrase.
CREATE TABLE requests (
    guid TEXT NOT NULL PRIMARY KEY,
    agent BIGINT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    backup BIGINT,
    password BYTEA,
    old_password BYTEA,
    asked_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX requests_open ON requests (agent) WHERE ended_at IS NULL;

-- Passphrases that an agent found wrong, for the bound on guessing.
CREATE TABLE wrong_passwords (
    agent BIGINT NOT NULL,
    at BIGINT NOT NULL,
    reference TEXT NOT NULL UNIQUE
);
CREATE INDEX wrong_passwords_agent ON wrong_passwords (agent, at);

-- Mail that waits to be sent, or was.
CREATE TABLE mails (
    id BIGINT NOT NULL PRIMARY KEY,
    -- What it is about, once for each recipient.
    reference TEXT NOT NULL,
    recipient TEXT NOT NULL,
    message_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- When it is tried next. A server that tries it moves this on first, so that no other one does.
    due_at BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    first_try_at BIGINT,
    sent_at BIGINT,
    given_up_at BIGINT
);
CREATE UNIQUE INDEX mails_reference ON mails (reference, recipient);
CREATE INDEX mails_due ON mails (due_at, id) WHERE sent_at IS NULL AND given_up_at IS NULL;

CREATE TABLE fleet_clock (
    id BIGINT NOT NULL PRIMARY KEY,
    ticked_at BIGINT NOT NULL,
    served BIGINT NOT NULL
);
INSERT INTO fleet_clock (id, ticked_at, served) VALUES (1, 0, 0);

INSERT INTO counters (name, value) VALUES ('ids', 1000);
INSERT INTO counters (name, value) VALUES ('work', 0);
