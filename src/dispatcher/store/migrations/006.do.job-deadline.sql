-- When a job's last task may still be taken: whether anything is past its deadline is asked every second, and is not
-- to read each task that waits for a host that is away.
ALTER TABLE jobs
  ADD COLUMN deadline_at DATETIME(3) NULL;
