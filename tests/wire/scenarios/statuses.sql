-- A database of statuses as the daemon wrote it when the transcripts were first recorded. Its ages
-- are relative to now, so that they are told in the same words each time.
PRAGMA journal_mode = wal;
BEGIN;
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
INSERT INTO statuses (login, status, set_at, set_by, until)
SELECT login, status, strftime('%s', 'now') - ago, 'uid 0 (root)', strftime('%s', 'now') + lasts
FROM (
    SELECT NULL AS login, NULL AS status, NULL AS ago, NULL AS lasts
    UNION ALL SELECT 'a', 'Replaced', 9000000, NULL
    UNION ALL SELECT 'a', 'Hours ago', 12600, NULL
    UNION ALL SELECT 'b', 'Shows again', 70000000, NULL
    UNION ALL SELECT 'b', 'Has ended', 5000, -1000
    UNION ALL SELECT 'c', 'Below', 4000000, NULL
    UNION ALL SELECT 'c', 'Lasts for a day', 130000, 86400
    UNION ALL SELECT 'd', 'Was cleared', 4000, NULL
    UNION ALL SELECT 'd', '', 3000, NULL
    UNION ALL SELECT 'e', 'All have ended', 4000, -2000
    UNION ALL SELECT 'e', 'This one too', 3000, -1000
    UNION ALL SELECT 'f', 'One line' || char(10) || 'and another ' || char(27) || '[31m', 305, NULL
    UNION ALL SELECT 'g', 'In the future', -100000, NULL
    UNION ALL SELECT 'kept', 'Of nobody known', 90000, NULL
)
WHERE login IS NOT NULL;
PRAGMA user_version = 1;
COMMIT;
