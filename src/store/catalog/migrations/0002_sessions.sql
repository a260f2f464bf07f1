-- The sessions of an account that are still running, without reading those of the month before.
CREATE INDEX sessions_running ON sessions (account, ends_at);
