-- A database as the first version of its schema has it. Its statuses are those that the tests name.
PRAGMA journal_mode = wal;
BEGIN;
-- Every status that was set, in the order of its id. The newest of a login shows; one with an
-- empty text is a clearing.
CREATE TABLE statuses (
    id     INTEGER PRIMARY KEY,
    login  TEXT NOT NULL,
    status TEXT NOT NULL,
    -- Seconds since the epoch.
    set_at DOUBLE PRECISION NOT NULL,
    set_by TEXT NOT NULL,
    -- When it ends, in seconds since the epoch, and the one before it shows again. NULL: never.
    until  DOUBLE PRECISION
);

CREATE INDEX statuses_of_login ON statuses (login, id, until);

-- What shows or may show again: all that no newer status of the same login outlasts.
CREATE VIEW lasting AS
SELECT id, login, status, set_at, set_by, until
FROM statuses
WHERE NOT EXISTS (
    SELECT 1
    FROM statuses AS newer
    WHERE newer.login = statuses.login
      AND newer.id > statuses.id
      AND (newer.until IS NULL OR newer.until >= statuses.until)
);

INSERT INTO statuses (login, status, set_at, set_by, until) VALUES
    ('moshez', 'Writing', 10.5, 'uid 1000 (moshez)', NULL),
    ('gone', 'Here', 11.0, 'uid 0 (root)', NULL),
    ('moshez', 'At lunch ☃', 20.0, 'uid 0 (root)', 5000.0),
    ('gone', '', 21.0, 'uid 0 (root)', NULL);
PRAGMA user_version = 1;
COMMIT;
