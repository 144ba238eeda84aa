-- Hosts that went back from a version: each counts once, until the version is released.
CREATE TABLE rollbacks (
  version       VARCHAR(64)  NOT NULL,
  host_id       VARCHAR(63)  CHARACTER SET ascii NOT NULL,
  reason        TEXT         NULL,
  at            DATETIME(3)  NOT NULL,
  PRIMARY KEY (version, host_id)
) CHARACTER SET utf8mb4;

-- No host is sent to such a release until somebody releases it.
ALTER TABLE packages
  ADD COLUMN quarantined_at    DATETIME(3) NULL,
  ADD COLUMN quarantine_reason TEXT        NULL,
  -- When its last quarantine was ended: what hosts remember of it from before counts no more.
  ADD COLUMN released_at       DATETIME(3) NULL;

-- From then on, and as soon as the host is online, look whether it runs what it is to run.
ALTER TABLE hosts
  ADD COLUMN catch_up_at DATETIME(3) NULL,
  ADD KEY catch_up_at (catch_up_at);
