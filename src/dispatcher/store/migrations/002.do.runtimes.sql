-- A package is a release, named by its version, or the runtime of a platform, such as node-24.21.0-linux-x64. One
-- statement: it takes effect as a whole or not at all.
ALTER TABLE packages
  CHANGE COLUMN version name VARCHAR(64) NOT NULL,
  ADD COLUMN kind VARCHAR(16) NOT NULL DEFAULT 'release';
