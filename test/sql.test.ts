// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the made-up sources hold templates
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { lintSql, type SqlReport, storeFolder } from '../dev/sql.ts';
import { report } from '../dev/structure/finding.ts';
import { readTree } from '../dev/structure/tree.ts';

test('every statement of the store is read alike by MySQL and MariaDB', (t) => {
  const { findings, statements, fragments } = lintSql(readTree(join(dirname(import.meta.filename), '..')));
  assert.ok(statements > 0, `no SQL found under ${storeFolder}`);
  assert.ok(findings.length === 0, `\n${report(findings)}\n`);
  t.diagnostic(
    `${statements} statements parsed twice; ${fragments} fragments held to the refused words alone`,
  );
});

function inStore(sql: string): SqlReport {
  return lintSql([{ path: `${storeFolder}a.ts`, text: `const a = sql\`${sql}\`;` }]);
}

function migration(sql: string): SqlReport {
  return lintSql([{ path: `${storeFolder}migrations/001.do.a.sql`, text: sql }]);
}

const good = [
  'SELECT id FROM host WHERE id = ? LIMIT ? OFFSET ?',
  'SELECT id FROM host WHERE status <=> ? ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED',
  'SELECT status, state FROM host FORCE INDEX (by_state) WHERE name REGEXP ?',
  "SELECT id FROM host WHERE note = 'RETURNING -> NOW()' -- AS new, NOW()",
  'INSERT INTO a (x, y) VALUES (?, UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE y = VALUES(y)',
  'INSERT INTO a (x, y) VALUES ? ON DUPLICATE KEY UPDATE y = VALUES(y)',
  'INSERT IGNORE INTO a (x) SELECT b.x AS x FROM b WHERE b.y = ?',
  'INSERT INTO a (x) SELECT q.x FROM (SELECT 1 AS x) AS q ON DUPLICATE KEY UPDATE x = q.x',
  'UPDATE a SET x = DEFAULT, y = IF(x > ?, y, NULL) WHERE id = ? ORDER BY id LIMIT 5',
  'UPDATE a SET at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND',
  'DELETE FROM a WHERE at < ? ORDER BY at LIMIT 100',
  'DELETE FROM a LIMIT 100',
  'WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT * FROM n',
  'SELECT JSON_UNQUOTE(JSON_EXTRACT(data, ?)) AS v, UUID() AS u FROM t LOCK IN SHARE MODE',
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  'DO RELEASE_LOCK(?)',
  'SAVEPOINT a',
];

test('what both servers know passes', () => {
  for (const sql of good) {
    const { findings, statements } = inStore(sql);
    assert.equal(statements, 1, sql);
    assert.deepEqual(findings, [], `${sql}\n${report(findings)}`);
  }
});

test('a table with what we use passes, and so does changing it', () => {
  const { findings, statements } = migration(`
    -- A comment; with a semicolon.
    CREATE TABLE host (
      id BINARY(16) NOT NULL,
      n BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
      uuid CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      name VARCHAR(190) NOT NULL COMMENT 'a; b',
      status ENUM('up', 'down') NOT NULL DEFAULT 'up',
      at DATETIME(3) NOT NULL,
      data JSON NULL,
      free INT AS (IF(n > 1, n, NULL)) STORED,
      PRIMARY KEY (id),
      UNIQUE KEY by_name (name(10), n),
      KEY by_at (at DESC),
      CONSTRAINT c FOREIGN KEY (n) REFERENCES x (id) ON DELETE CASCADE,
      CHECK ((n > 0))
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
    ALTER TABLE host ADD COLUMN x INT NOT NULL DEFAULT 0, ADD INDEX by_x (x);
    ALTER TABLE host ADD CONSTRAINT fk FOREIGN KEY (x) REFERENCES b (id);
    CREATE UNIQUE INDEX i ON host (x);
    INSERT INTO a (id) VALUES (1);
  `);
  assert.deepEqual(findings, [], report(findings));
  assert.equal(statements, 5);
});

const bad: [rule: RegExp, sql: string][] = [
  [/RETURNING/, 'DELETE FROM a WHERE x = ? RETURNING x'],
  [/AS new/, 'INSERT INTO a (x) VALUES (?), (?) AS new ON DUPLICATE KEY UPDATE x = new.x'],
  [/AS new/, 'INSERT INTO a (x) VALUES ((SELECT 1)) AS new (y) ON DUPLICATE KEY UPDATE x = y'],
  [/FOR UPDATE OF/, 'SELECT x FROM a FOR UPDATE OF a'],
  [/FOR SHARE/, 'SELECT x FROM a FOR SHARE'],
  [/INTERSECT/, 'SELECT x FROM a INTERSECT SELECT x FROM b'],
  [/EXCEPT/, 'SELECT x FROM a EXCEPT SELECT x FROM b'],
  [/VALUES ROW/, 'INSERT INTO a VALUES ROW(1, 2)'],
  [/LATERAL/, 'SELECT x FROM a, LATERAL (SELECT 1) b'],
  [/JSON_TABLE/, "SELECT x FROM JSON_TABLE(?, '$' COLUMNS (x INT PATH '$')) t"],
  [/->/, "SELECT data->'$.x' FROM a"],
  [/->/, "SELECT data ->> '$.x' FROM a"],
  [/MEMBER OF/, 'SELECT x FROM a WHERE ? MEMBER OF (data)'],
  [/UUID_TO_BIN/, 'SELECT x FROM a WHERE id = UUID_TO_BIN(?)'],
  [/CREATE OR REPLACE TABLE/, 'CREATE OR REPLACE TABLE a (x INT)'],
  [/COLUMN IF NOT EXISTS/, 'ALTER TABLE a ADD COLUMN IF NOT EXISTS x INT'],
  [/DROP IF EXISTS/, 'ALTER TABLE a DROP IF EXISTS x'],
  [/INDEX IF NOT EXISTS/, 'CREATE INDEX IF NOT EXISTS i ON a (x)'],
  [/SEQUENCE/, 'CREATE SEQUENCE s'],
  [/NEXT VALUE FOR/, 'SELECT NEXT VALUE FOR s'],
  [/UUID/, 'CREATE TABLE a (id UUID NOT NULL)'],
  [/uuid/, 'ALTER TABLE a ADD COLUMN id uuid'],
  [/utf8mb4_0900_ai_ci/, 'CREATE TABLE a (x INT) COLLATE=utf8mb4_0900_ai_ci'],
  [/OFFSET/i, 'CREATE TABLE a (x INT, offset INT)'],
  [/INDEX/, 'CREATE INDEX i ON a ((LOWER(x)))'],
  [/KEY/, 'CREATE TABLE a (x INT, KEY i (x, (x + 1)))'],
  [/NOW/, 'UPDATE a SET at = NOW(3)'],
  [/CURRENT_TIMESTAMP/, 'CREATE TABLE a (at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3))'],
  [/UTC_TIMESTAMP/, 'UPDATE a SET at = UTC_TIMESTAMP()'],
];

test('what one of the servers does not know is refused, by name and with a way out', () => {
  for (const [word, sql] of bad) {
    const found = inStore(sql).findings.filter((f) => f.rule === 'sql-both-servers');
    assert.equal(found.length, 1, `${sql}\n${report(found)}`);
    assert.match(found[0]!.what, word, sql);
    assert.ok(found[0]!.todo);
    assert.equal(migration(`${sql};`).findings.filter((f) => f.rule === 'sql-both-servers').length, 1, sql);
  }
});

test('a fragment is held to the refused words too', () => {
  const { findings, fragments } = inStore('WHERE at < NOW()');
  assert.equal(fragments, 1);
  assert.equal(findings.length, 1);
});

test('what does not parse is found, with the place where reading stops', () => {
  const wrong = [
    'SELECT x FORM t',
    'SELECT x,, y FROM t',
    'UPDATE t SET WHERE x = 1',
    'INSERT INTO a (x) VALUES (1',
    'INSERT INTO a (x, y) VALUES (1)',
    'SELECT x FROM t WHERE x == 1',
    'CREATE TABLE a (x INT NOT NUL)',
    'SELECT x FORM t WHERE y = ${y}',
  ];
  for (const sql of wrong) {
    const { findings } = inStore(sql);
    assert.deepEqual(
      findings.map((f) => f.rule),
      ['sql-parses'],
      sql,
    );
  }
  assert.match(inStore('SELECT x FORM t').findings[0]!.what, /SELECT x FORM ⟨here⟩t/);
});

test('pieces put into a statement do not hide it from the lint', () => {
  const filled = [
    'SELECT ${columns} FROM ${table} WHERE ${where} ORDER BY ${by} LIMIT ${n}',
    'SELECT a, ${column} AS b FROM t ${join} WHERE x = ? ${more}',
    'INSERT INTO a (x, y) VALUES ${rows}',
    'INSERT INTO ${t} (${columns}) VALUES (${marks}) ON DUPLICATE KEY UPDATE ${set}',
    'UPDATE a SET ${set} WHERE id IN (${ids})',
    'UPDATE a SET x = 1${more} WHERE id = ?',
    'SELECT x FROM t WHERE a = 1 AND (${a} OR ${b}) ${c ? sql`AND d = ?` : sql``} FOR UPDATE',
    'SELECT x FROM t WHERE at < UTC_TIMESTAMP(3) - INTERVAL ${n} SECOND ORDER BY x ${way}',
  ];
  for (const sql of filled) {
    const { findings, statements } = inStore(sql);
    assert.equal(statements, 1, sql);
    assert.deepEqual(findings, [], `${sql}\n${report(findings)}`);
  }
});

test('SQL that the lint could not see is found', () => {
  const text =
    "const a = 'SELECT x FROM t';\nconst b = `DELETE FROM t`;\n// SELECT x FROM t\nconst c = 'fine';";
  const { findings } = lintSql([{ path: `${storeFolder}hosts.ts`, text }]);
  assert.deepEqual(
    findings.map((f) => `${f.rule}:${f.line}`),
    ['sql-tagged:1', 'sql-tagged:2'],
  );
});

test('a finding names the line', () => {
  const { findings } = migration('CREATE TABLE a (\n  x INT\n);\n\nUPDATE a SET\n  x = NOW();\nSELEC 1;\n');
  assert.deepEqual(
    findings.map((f) => f.line),
    [6, 7],
  );
  const inTemplate = inStore('SELECT x\nFROM t WHERE ${\n  where\n}\nAND at < NOW()');
  assert.deepEqual(
    inTemplate.findings.map((f) => f.line),
    [5],
  );
});

test('only the store is read', () => {
  const text = 'const a = sql`SELEC 1`;';
  assert.equal(lintSql([{ path: 'src/lib/a.ts', text }]).statements, 0);
});
