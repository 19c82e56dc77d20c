-- Beside their status, users set a plan, a project and whether they are shown: each row says of which
-- part of their record it is. A row of no part says that all of its login is to be read anew: what
-- was set last is taken back, or all of it is erased.
ALTER TABLE statuses ADD COLUMN part text NOT NULL DEFAULT 'status' COLLATE "C";

DROP VIEW lasting;

DROP INDEX statuses_of_login;

CREATE INDEX statuses_of_login ON statuses (login, part, id, until);

-- What shows or may show again: all that no newer row of the same login and part outlasts.
CREATE VIEW lasting AS
SELECT id, login, status, set_at, set_by, until, part
FROM statuses
WHERE NOT EXISTS (
    SELECT 1
    FROM statuses AS newer
    WHERE newer.login = statuses.login
      AND newer.part = statuses.part
      AND newer.id > statuses.id
      AND (newer.until IS NULL OR newer.until >= statuses.until)
);
