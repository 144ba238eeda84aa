-- A task changes its state two to four times, and each time every index with the state in it. What is left: `state`
-- for all that is due (with it, rows come in order of id), `job_state` for the end of jobs, `host_recent` for history.
-- Ids and states are plain ASCII: half the size, a cheaper comparison, and they join hosts by its key.
ALTER TABLE tasks
  DROP KEY state_host,
  DROP KEY state_expiry,
  MODIFY COLUMN id CHAR(36) CHARACTER SET ascii NOT NULL,
  MODIFY COLUMN job_id CHAR(36) CHARACTER SET ascii NOT NULL,
  MODIFY COLUMN host_id VARCHAR(63) CHARACTER SET ascii NOT NULL,
  MODIFY COLUMN state VARCHAR(16) CHARACTER SET ascii NOT NULL,
  DROP COLUMN lease_owner,
  ADD KEY state (state);

-- A result is kept with the event that brought it.
ALTER TABLE task_events
  MODIFY COLUMN task_id CHAR(36) CHARACTER SET ascii NOT NULL,
  ADD COLUMN result JSON NULL;

UPDATE task_events e JOIN tasks t ON t.id = e.task_id AND t.seq = e.seq SET e.result = t.result;

ALTER TABLE tasks DROP COLUMN result;

ALTER TABLE jobs
  MODIFY COLUMN id CHAR(36) CHARACTER SET ascii NOT NULL;
