-- What hosts and their scripts wrote, for as long as `logKeepMs` says. `at` is the host's word, by the dispatcher's clock as
-- far as the host knows it; `id` rises as lines are kept. A batch that comes twice is kept once.
CREATE TABLE logs (
  id            BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  batch         CHAR(36)     CHARACTER SET ascii NOT NULL,
  line          SMALLINT     NOT NULL,
  host_id       VARCHAR(63)  CHARACTER SET ascii NOT NULL,
  at            DATETIME(3)  NOT NULL,
  kept_at       DATETIME(3)  NOT NULL,
  -- 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal
  level         TINYINT      NOT NULL,
  task_id       CHAR(36)     CHARACTER SET ascii NULL,
  script        VARCHAR(255) NULL,
  text          TEXT         NOT NULL,
  UNIQUE KEY batch_line (batch, line),
  KEY at (at),
  KEY host_at (host_id, at),
  KEY task_at (task_id, at),
  KEY kept_at (kept_at)
) CHARACTER SET utf8mb4;
