-- The signed metadata of The Update Framework, each version as the text that was signed. `timestamp` has one row.
CREATE TABLE trust_metadata (
  role          VARCHAR(16)  CHARACTER SET ascii NOT NULL,
  version       BIGINT       NOT NULL,
  body          MEDIUMTEXT   NOT NULL,
  stored_at     DATETIME(3)  NOT NULL,
  PRIMARY KEY (role, version)
) CHARACTER SET utf8mb4;

-- Whoever changes the metadata holds this row, also where there is none of it yet.
CREATE TABLE trust_lock (
  id            TINYINT      NOT NULL PRIMARY KEY
);
INSERT INTO trust_lock (id) VALUES (1);
