-- A job that is driven (`limits` is not NULL): how many hosts each of its waves has, and when it began.
ALTER TABLE jobs
  ADD COLUMN wave_sizes     JSON         NULL,
  ADD COLUMN started_at     DATETIME(3)  NULL,
  DROP COLUMN forgiven;

UPDATE jobs SET started_at = created_at WHERE started_at IS NULL;

-- `forgiven`: an error that an operator has accepted by letting the job go on. What the driver asks is answered by
-- `job_state` alone, and what is due by `state`, however many tasks wait for their wave. `ready` is 2 where a task was
-- taken back while its order was just being sent.
ALTER TABLE tasks
  ADD COLUMN forgiven TINYINT NOT NULL DEFAULT 0,
  DROP KEY job_state,
  DROP KEY state,
  ADD KEY job_state (job_id, retried, state, wave, ready),
  ADD KEY state (state, ready);

-- Nothing but pings is sent while there is a row.
CREATE TABLE freeze (
  one           TINYINT      NOT NULL PRIMARY KEY,
  reason        TEXT         NOT NULL,
  frozen_by     VARCHAR(255) NOT NULL,
  frozen_at     DATETIME(3)  NOT NULL
) CHARACTER SET utf8mb4;
