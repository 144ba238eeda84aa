-- Who may call functions. Names are compared letter by letter, as the broker does.
CREATE TABLE users (
  name          VARCHAR(60)  NOT NULL PRIMARY KEY,
  role          VARCHAR(16)  NOT NULL,
  created_at    DATETIME(3)  NOT NULL,
  created_by    VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
  -- who asked, and with which key: the same call asked again is no second user of that name
  call_key      VARCHAR(320) CHARACTER SET utf8mb4 NOT NULL
) CHARACTER SET ascii COLLATE ascii_bin;

CREATE TABLE api_tokens (
  owner         VARCHAR(60)  NOT NULL,
  name          VARCHAR(40)  NOT NULL,
  role          VARCHAR(16)  NOT NULL,
  secret_sha256 CHAR(64)     NOT NULL,
  created_at    DATETIME(3)  NOT NULL,
  created_by    VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
  expires_at    DATETIME(3)  NOT NULL,
  call_key      VARCHAR(320) CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (owner, name),
  UNIQUE KEY secret_sha256 (secret_sha256),
  KEY expires_at (expires_at)
) CHARACTER SET ascii COLLATE ascii_bin;

-- Who did what. Rows are only ever added: one when a call is asked for, before anything is done, and one that is
-- `about` it with how it ended. Each holds the sha256 of the row before it and of its own content, so that whoever
-- changes one here must change all that came after it, and what was written down elsewhere meanwhile.
CREATE TABLE audit (
  id            BIGINT       NOT NULL PRIMARY KEY,
  at            DATETIME(3)  NOT NULL,
  about         BIGINT       NULL,
  who           VARCHAR(255) NOT NULL,
  role          VARCHAR(16)  NOT NULL,
  -- the caller's own word: from which machine, system user and program
  origin        TEXT         NULL,
  fn            VARCHAR(64)  NOT NULL,
  args          TEXT         NULL,
  target        TEXT         NULL,
  host_id       VARCHAR(63)  NULL,
  job_id        CHAR(36)     NULL,
  hosts         INT          NULL,
  outcome       VARCHAR(64)  NULL,
  previous      CHAR(64)     NOT NULL,
  sha256        CHAR(64)     NOT NULL,
  KEY at (at),
  KEY about (about),
  KEY host_id (host_id),
  KEY job_id (job_id)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The last row of the audit: whoever adds one locks this.
CREATE TABLE audit_head (
  one           TINYINT      NOT NULL PRIMARY KEY,
  id            BIGINT       NOT NULL,
  sha256        CHAR(64)     NOT NULL
) CHARACTER SET ascii;
INSERT INTO audit_head (one, id, sha256) VALUES (1, 0, REPEAT('0', 64));
