-- All times are the database's own UTC. Only what both MySQL 8 and MariaDB 10.6 know.

CREATE TABLE hosts (
  id            VARCHAR(63)  NOT NULL PRIMARY KEY,
  registered_at DATETIME(3)  NOT NULL,
  last_seen_at  DATETIME(3)  NULL,
  online        TINYINT      NOT NULL DEFAULT 0,
  version       VARCHAR(64)  NULL,
  boot          CHAR(36)     NULL,
  platform      VARCHAR(64)  NULL,
  KEY online_seen (online, last_seen_at)
) CHARACTER SET ascii;

CREATE TABLE packages (
  version       VARCHAR(64)  NOT NULL PRIMARY KEY,
  sha256        CHAR(64)     NOT NULL,
  size          BIGINT       NOT NULL,
  chunk_bytes   INT          NOT NULL,
  chunks        INT          NOT NULL,
  manifest      JSON         NOT NULL,
  -- uploading: chunks are missing; ready: the whole was checked against sha256
  state         VARCHAR(16)  NOT NULL,
  created_at    DATETIME(3)  NOT NULL,
  created_by    VARCHAR(255) NOT NULL,
  -- the stream in the broker: sealed once every chunk was confirmed
  sealed        TINYINT      NOT NULL DEFAULT 0,
  lease_owner   CHAR(36)     NULL,
  lease_until   DATETIME(3)  NULL,
  UNIQUE KEY sha256 (sha256)
) CHARACTER SET utf8mb4;

CREATE TABLE package_chunks (
  sha256        CHAR(64)     NOT NULL,
  chunk         INT          NOT NULL,
  bytes         MEDIUMBLOB   NOT NULL,
  PRIMARY KEY (sha256, chunk)
) CHARACTER SET ascii;

CREATE TABLE jobs (
  id            CHAR(36)     NOT NULL PRIMARY KEY,
  type          VARCHAR(64)  NOT NULL,
  args          JSON         NOT NULL,
  target        TEXT         NOT NULL,
  state         VARCHAR(16)  NOT NULL,
  created_at    DATETIME(3)  NOT NULL,
  created_by    VARCHAR(255) NOT NULL,
  finished_at   DATETIME(3)  NULL,
  -- who asked, and with which key: the same call asked again makes no second job
  call_key      VARCHAR(320) NOT NULL,
  UNIQUE KEY call_key (call_key),
  KEY state_created (state, created_at)
) CHARACTER SET utf8mb4;

CREATE TABLE tasks (
  id               CHAR(36)     NOT NULL PRIMARY KEY,
  job_id           CHAR(36)     NOT NULL,
  host_id          VARCHAR(63)  NOT NULL,
  type             VARCHAR(64)  NOT NULL,
  args             JSON         NOT NULL,
  state            VARCHAR(16)  NOT NULL,
  phase            VARCHAR(32)  NULL,
  reason           TEXT         NULL,
  -- the last thing the agent said of it; older news are recorded, and change nothing
  seq              INT          NOT NULL DEFAULT 0,
  attempts         INT          NOT NULL DEFAULT 0,
  late             TINYINT      NOT NULL DEFAULT 0,
  returned         TINYINT      NOT NULL DEFAULT 0,
  timeout_ms       BIGINT       NOT NULL,
  created_at       DATETIME(3)  NOT NULL,
  deadline_at      DATETIME(3)  NOT NULL,
  order_expires_at DATETIME(3)  NULL,
  queued_at        DATETIME(3)  NULL,
  accepted_at      DATETIME(3)  NULL,
  started_at       DATETIME(3)  NULL,
  heard_at         DATETIME(3)  NULL,
  finished_at      DATETIME(3)  NULL,
  lease_owner      CHAR(36)     NULL,
  lease_until      DATETIME(3)  NULL,
  probe_boot       CHAR(36)     NULL,
  probe_nonce      VARCHAR(64)  NULL,
  from_version     VARCHAR(64)  NULL,
  result           JSON         NULL,
  KEY state_host (state, host_id),
  KEY state_expiry (state, order_expires_at),
  KEY job_state (job_id, state),
  KEY host_recent (host_id, id)
) CHARACTER SET utf8mb4;

CREATE TABLE task_events (
  task_id       CHAR(36)     NOT NULL,
  seq           INT          NOT NULL,
  state         VARCHAR(16)  NOT NULL,
  phase         VARCHAR(32)  NULL,
  reason        TEXT         NULL,
  -- the agent's clock, in ms since 1970: for durations within one task, never for order between hosts
  agent_ms      BIGINT       NOT NULL,
  recorded_at   DATETIME(3)  NOT NULL,
  PRIMARY KEY (task_id, seq)
) CHARACTER SET utf8mb4;
