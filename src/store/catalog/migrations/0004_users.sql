-- Users of the Cloud Backup API and their tokens. A token that has ended has no row.
CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    roles TEXT NOT NULL,
    api_key BYTEA NOT NULL,
    password BYTEA NOT NULL,
    disabled BIGINT NOT NULL,
    tokens_made BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_name ON users (name);
CREATE INDEX users_tenant ON users (tenant);

-- `number` counts the tokens of a user, so that the oldest is known.
CREATE TABLE tokens (
    token BYTEA NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    authenticated_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX tokens_user ON tokens (user_id, number);
CREATE INDEX tokens_ends ON tokens (ends_at);

-- The last numbers that were given out.
INSERT INTO counters (name, value) VALUES ('users', 0);
INSERT INTO counters (name, value) VALUES ('tenants', 99999);
