-- A host's secret as the broker keeps it (salted SHA-256), so that a broker that lost its users can be given them
-- again; the key of its machine as SHA-256; and labels, such as {"dc": "hz"}.
ALTER TABLE hosts
  ADD COLUMN password_hash VARCHAR(100) NULL,
  ADD COLUMN machine_hash CHAR(64) NULL,
  ADD COLUMN labels JSON NULL;

-- What lets machines join. `has_user`: its user in the broker may still be there.
CREATE TABLE tokens (
  id            CHAR(12)     NOT NULL PRIMARY KEY,
  sha256        CHAR(64)     NOT NULL,
  password_hash VARCHAR(100) NOT NULL,
  labels        JSON         NOT NULL,
  -- which root.json a machine is to trust that joins with it, though a newer one be signed meanwhile
  root_version  INT          NOT NULL,
  uses          INT          NOT NULL,
  used          INT          NOT NULL DEFAULT 0,
  has_user      TINYINT      NOT NULL DEFAULT 1,
  created_at    DATETIME(3)  NOT NULL,
  created_by    VARCHAR(255) NOT NULL,
  expires_at    DATETIME(3)  NOT NULL,
  used_up_at    DATETIME(3)  NULL,
  revoked_at    DATETIME(3)  NULL
) CHARACTER SET utf8mb4;

-- Which machine joined as which host: the same one asking again takes no other use.
CREATE TABLE enrolments (
  token_id      CHAR(12)     NOT NULL,
  machine_hash  CHAR(64)     NOT NULL,
  host_id       VARCHAR(63)  NOT NULL,
  enrolled_at   DATETIME(3)  NOT NULL,
  PRIMARY KEY (token_id, machine_hash),
  KEY host_id (host_id)
) CHARACTER SET ascii;
