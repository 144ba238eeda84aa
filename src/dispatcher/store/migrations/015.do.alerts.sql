-- What people are to hear of. `waiting` is 1 until a mail takes it up, and NULL from then on: what waits is told once,
-- however often and by however many dispatchers it is raised. `given_up`: no mail could be sent for too long.
CREATE TABLE alerts (
  id            CHAR(36)     CHARACTER SET ascii NOT NULL PRIMARY KEY,
  kind          VARCHAR(32)  CHARACTER SET ascii NOT NULL,
  about         VARCHAR(255) NOT NULL,
  text          TEXT         NOT NULL,
  raised_at     DATETIME(3)  NOT NULL,
  waiting       TINYINT      NULL DEFAULT 1,
  -- the mail that tells it; of one that was given up, the mail that tells how many were
  mail_id       CHAR(36)     CHARACTER SET ascii NULL,
  given_up      TINYINT      NOT NULL DEFAULT 0,
  UNIQUE KEY waiting (waiting, kind, about),
  KEY kind_about (kind, about, raised_at),
  KEY waiting_since (waiting, raised_at),
  KEY mail (mail_id, kind),
  KEY given_up (given_up, mail_id, raised_at),
  KEY raised_at (raised_at)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The mails that tell them. `under_way` is 1 until the mail is sent or given up, and NULL from then on: there is one at
-- a time. Whoever holds its lease sends it; after a failure nobody does so before `lease_until`.
CREATE TABLE alert_mails (
  id            CHAR(36)     NOT NULL PRIMARY KEY,
  made_at       DATETIME(3)  NOT NULL,
  under_way     TINYINT      NULL DEFAULT 1,
  held_back     INT          NOT NULL DEFAULT 0,
  tries         INT          NOT NULL DEFAULT 0,
  lease_owner   CHAR(36)     NULL,
  lease_until   DATETIME(3)  NULL,
  sent_at       DATETIME(3)  NULL,
  error         TEXT         CHARACTER SET utf8mb4 NULL,
  UNIQUE KEY under_way (under_way),
  KEY sent_at (sent_at)
) CHARACTER SET ascii;

-- `left_at`: when it said goodbye, after which it was silent as long as `last_seen_at` is the same; it counts as such of
-- hosts that are away now, or all of them were told today. `lost_at`: when people were told that it is lost.
ALTER TABLE hosts
  ADD COLUMN left_at DATETIME(3) NULL,
  ADD COLUMN lost_at DATETIME(3) NULL,
  ADD KEY lost_at (lost_at);

UPDATE hosts SET left_at = last_seen_at WHERE online = 0;
