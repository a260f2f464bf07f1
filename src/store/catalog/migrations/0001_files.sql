-- Accounts, their retention history, files, sessions. TEXT, BIGINT and BYTEA only; a migration only adds.
CREATE TABLE store (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Numbers that only rise: `control` is raised by every change that the small copies carry.
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('control', 0);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    description TEXT NOT NULL,
    password BYTEA NOT NULL,
    quota BIGINT,
    used BIGINT NOT NULL,
    change BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled TEXT,
    removed_at BIGINT
);

CREATE TABLE retentions (
    account TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    days BIGINT NOT NULL
);
CREATE INDEX retentions_account ON retentions (account);

CREATE TABLE files (
    random TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    name BYTEA NOT NULL,
    state TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    change BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    kept_from BIGINT NOT NULL,
    hidden_at BIGINT,
    expires_at BIGINT,
    checked_at BIGINT NOT NULL,
    damaged_at BIGINT,
    why TEXT
);
CREATE UNIQUE INDEX files_live ON files (account, name) WHERE state = 'live';
CREATE INDEX files_created ON files (account, name, created_at);
CREATE INDEX files_due ON files (expires_at) WHERE state = 'live' AND expires_at IS NOT NULL;
CREATE INDEX files_checked ON files (checked_at) WHERE state = 'live';
CREATE INDEX files_unsettled ON files (state, random) WHERE state <> 'live';

CREATE TABLE block_sums (
    random TEXT NOT NULL PRIMARY KEY,
    format BIGINT NOT NULL,
    sums BYTEA NOT NULL
);

CREATE TABLE ended (
    random TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    name BYTEA NOT NULL,
    size BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX ended_account ON ended (account, ended_at);
CREATE INDEX ended_at ON ended (ended_at);

CREATE TABLE sessions (
    token BYTEA NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account, created_at);
CREATE INDEX sessions_ends ON sessions (ends_at);
