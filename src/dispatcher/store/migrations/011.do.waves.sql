-- What a job may do to its hosts and when (`limits`, see lib/limits.ts; NULL: all at once), and how far it is.
ALTER TABLE jobs
  ADD COLUMN limits         JSON         NULL,
  ADD COLUMN wave           INT          NOT NULL DEFAULT 1,
  -- When the wave before ended, of which `pauseBetween` counts; and the last wave that an operator approved.
  ADD COLUMN wave_ended_at  DATETIME(3)  NULL,
  ADD COLUMN approved_wave  INT          NOT NULL DEFAULT 1,
  -- Errors that an operator has accepted by letting the job go on.
  ADD COLUMN forgiven       INT          NOT NULL DEFAULT 0,
  ADD COLUMN paused_reason  TEXT         NULL,
  -- When the rate lets the next task start.
  ADD COLUMN next_start_at  DATETIME(3)  NULL,
  ADD COLUMN schedule_id    CHAR(36)     CHARACTER SET ascii NULL;

-- `ready`: its wave and its limits let it start; only such a task is sent. `retried`: another task has taken its place,
-- and it counts no more. `windows`: the names of the maintenance windows that its host keeps, with commas between them.
ALTER TABLE tasks
  ADD COLUMN wave           SMALLINT     NOT NULL DEFAULT 1,
  ADD COLUMN ready          TINYINT      NOT NULL DEFAULT 1,
  ADD COLUMN not_before     DATETIME(3)  NULL,
  ADD COLUMN tries          SMALLINT     NOT NULL DEFAULT 1,
  ADD COLUMN retried        TINYINT      NOT NULL DEFAULT 0,
  ADD COLUMN windows        VARCHAR(255) NULL;
