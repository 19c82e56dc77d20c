-- Every status that was set, in the order of its id. The newest of a login shows; one with an
-- empty text is a clearing. Who writes holds an advisory lock until the commit, so that a status
-- with a lower id is never committed later.
CREATE TABLE statuses (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login  text NOT NULL COLLATE "C",
    status text NOT NULL,
    -- Seconds since the epoch.
    set_at double precision NOT NULL,
    set_by text NOT NULL,
    -- When it ends, in seconds since the epoch, and the one before it shows again. NULL: never.
    until  double precision
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
