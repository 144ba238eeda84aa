-- A place of the fleet-wide limit of downloads: free, or held by one host until its lease runs out. Rows above the
-- limit that is configured now are left alone.
CREATE TABLE download_slots (
  slot          INT          NOT NULL PRIMARY KEY,
  host_id       VARCHAR(63)  NULL,
  sha256        CHAR(64)     NULL,
  lease_until   DATETIME(3)  NULL,
  UNIQUE KEY host_id (host_id)
) CHARACTER SET ascii;

-- When somebody asked for the artifact last: a stream that nobody reads any more goes.
ALTER TABLE packages ADD COLUMN read_at DATETIME(3) NULL;
