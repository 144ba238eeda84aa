-- Jobs to be made later, or again and again. `timing` is read by lib/when; `next_due_at` is what it says next, NULL when
-- it says nothing more or the schedule is paused.
CREATE TABLE schedules (
  id            CHAR(36)     CHARACTER SET ascii NOT NULL PRIMARY KEY,
  name          VARCHAR(63)  CHARACTER SET ascii NOT NULL,
  timing        VARCHAR(255) NOT NULL,
  zone          VARCHAR(64)  CHARACTER SET ascii NOT NULL,
  fn            VARCHAR(64)  CHARACTER SET ascii NOT NULL,
  args          JSON         NOT NULL,
  -- what becomes of a time at which nobody could fire: skip, or run if it is not later than this
  missed        VARCHAR(8)   CHARACTER SET ascii NOT NULL,
  grace_ms      BIGINT       NOT NULL,
  paused        TINYINT      NOT NULL DEFAULT 0,
  next_due_at   DATETIME(3)  NULL,
  created_at    DATETIME(3)  NOT NULL,
  -- in whose name, and by whose rights, its jobs are made
  owner         VARCHAR(255) NOT NULL,
  -- who asked, and with which key: the same call asked again is no second schedule of that name
  call_key      VARCHAR(320) NOT NULL,
  UNIQUE KEY name (name),
  KEY next_due_at (next_due_at)
) CHARACTER SET utf8mb4;

ALTER TABLE jobs ADD KEY schedule_state (schedule_id, state);

-- What became of each time: due (whichever dispatcher takes it makes its job, and another when that one died), then made,
-- missed, skipped or failed. A time has one row, so that it is fired once.
CREATE TABLE firings (
  schedule_id   CHAR(36)     CHARACTER SET ascii NOT NULL,
  due_at        DATETIME(3)  NOT NULL,
  state         VARCHAR(16)  CHARACTER SET ascii NOT NULL,
  fired_at      DATETIME(3)  NOT NULL,
  lease_owner   CHAR(36)     CHARACTER SET ascii NULL,
  lease_until   DATETIME(3)  NULL,
  job_id        CHAR(36)     CHARACTER SET ascii NULL,
  -- why there is no job, or why it is late
  reason        TEXT         NULL,
  PRIMARY KEY (schedule_id, due_at),
  KEY state_lease (state, lease_until),
  KEY fired_at (fired_at)
) CHARACTER SET utf8mb4;

-- When work may begin on the hosts that `target` means.
CREATE TABLE windows (
  name          VARCHAR(40)  CHARACTER SET ascii NOT NULL PRIMARY KEY,
  target        JSON         NOT NULL,
  open_at       VARCHAR(255) NOT NULL,
  zone          VARCHAR(64)  CHARACTER SET ascii NOT NULL,
  created_at    DATETIME(3)  NOT NULL,
  created_by    VARCHAR(255) NOT NULL,
  call_key      VARCHAR(320) NOT NULL
) CHARACTER SET utf8mb4;

-- Room for the names of all windows that there may be; and which sets of them the tasks of a job bear, so that its driver
-- need not look at the tasks for it.
ALTER TABLE tasks MODIFY COLUMN windows VARCHAR(2100) NULL;
ALTER TABLE jobs ADD COLUMN window_sets JSON NULL;
