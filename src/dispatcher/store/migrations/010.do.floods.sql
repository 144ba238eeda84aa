-- A host that sent more than a bound may not connect until then. `applied`: the broker was told of just this.
ALTER TABLE hosts
  ADD COLUMN cut_off_until DATETIME(3) NULL,
  ADD COLUMN cut_off_reason VARCHAR(255) NULL,
  ADD COLUMN cut_off_applied TINYINT NOT NULL DEFAULT 0,
  ADD KEY cut_off_until (cut_off_until);
