-- What a host says of itself ({"os": "debian"}), by which it can be a target. Two holds, each of which keeps orders from
-- it: an operator's, for good or until a time, which nobody needs to end; and its owner's, the text of the file etc/hold.
ALTER TABLE hosts
  ADD COLUMN facts        JSON         NULL,
  ADD COLUMN held_by      VARCHAR(255) CHARACTER SET utf8mb4 NULL,
  ADD COLUMN held_reason  VARCHAR(500) CHARACTER SET utf8mb4 NULL,
  ADD COLUMN held_until   DATETIME(3)  NULL,
  ADD COLUMN owner_hold   VARCHAR(2000)CHARACTER SET utf8mb4 NULL;
