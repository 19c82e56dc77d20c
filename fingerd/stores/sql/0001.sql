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
