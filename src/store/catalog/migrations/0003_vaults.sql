-- When a hidden file's bytes may go: an index, computed again from the history by whoever dooms.
ALTER TABLE files ADD COLUMN ends_at BIGINT;
CREATE INDEX files_hidden_due ON files (ends_at) WHERE state = 'hidden';
CREATE INDEX files_hidden_checked ON files (checked_at) WHERE state = 'hidden';
CREATE INDEX files_hidden ON files (account, hidden_at) WHERE state = 'hidden';
-- A vault's files in their order: those of an archive have an end.
CREATE INDEX files_oldest ON files (account, created_at) WHERE expires_at IS NULL;

-- When a file that is there again was hidden.
CREATE TABLE absences (
    random TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (random, from_at)
);

-- Locks of restic repositories: an hour of life, no blob, no quota.
CREATE TABLE locks (
    account TEXT NOT NULL,
    name BYTEA NOT NULL,
    bytes BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE INDEX locks_created ON locks (created_at);

-- Files whose hiding, or whose return, no small copy tells yet.
CREATE TABLE untold_hides (
    random TEXT NOT NULL PRIMARY KEY
);
-- What the small copies tell of blobs that have no row yet.
CREATE TABLE told_hides (
    random TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    hidden_at BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('hides', 0);
