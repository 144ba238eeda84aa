import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readOptionFile } from '../src/lib/conn/optionfile.ts';
import { targetOf } from '../src/lib/conn/target.ts';
import { scratch } from './support/cli.ts';

function withFile<T>(lines: string[], work: (file: string) => T): T {
  using folder = scratch();
  const file = join(folder.path, 'my.cnf');
  writeFileSync(file, lines.join('\n'));
  return work(file);
}

test('an option file is read as the servers’ own programs read it', () => {
  const lines = [
    'user=before any group',
    ' [ client ] ',
    'user = root # who',
    "password='with # and \\'quotes\\''",
    'host="a\\sb\\\\c"',
    '; port=1',
    'max_allowed_packet = 16M',
    'skip-ssl # as a word alone',
    '[mysqldump]',
    'quick',
  ];
  assert.deepEqual(
    withFile(lines, (file) => Object.fromEntries(readOptionFile(file))),
    {
      ...{ user: 'root', password: "with # and 'quotes'", host: 'a b\\c' },
      ...{ 'max-allowed-packet': '16M', 'skip-ssl': '' },
    },
  );
});

test('files that include each other are refused, not read for ever', () => {
  using folder = scratch();
  const file = join(folder.path, 'loop.cnf');
  writeFileSync(file, `[client]\n!include ${file}\n`);
  assert.throws(() => readOptionFile(file), { code: 'bad_config', message: /too deeply/ });
  writeFileSync(file, `[client]\nuser=a\n!includedir ${join(folder.path, 'nowhere')}\n`);
  assert.throws(() => readOptionFile(file), { code: 'bad_config', message: /nowhere/ });
});

test('what it says of socket and TLS holds, except that a server is always verified', () => {
  const target = (lines: string[]) =>
    withFile(['[client]', ...lines], (optionFile) => targetOf({ optionFile, database: 'sales' }));
  const local = target(['socket=/run/mysqld/mysqld.sock']);
  assert.deepEqual(local.reach, { socketPath: '/run/mysqld/mysqld.sock' });
  assert.equal(local.where, '/run/mysqld/mysqld.sock:sales');
  assert.equal(local.user, userInfo().username);
  const reach = (...lines: string[]) => target(lines).reach as { ssl?: object };
  const verified = { verifyIdentity: true };
  assert.deepEqual(reach('host=db.example.org', 'socket=/x').ssl, verified);
  assert.deepEqual(reach('host=127.0.0.1', 'ssl-mode=REQUIRED').ssl, verified);
  assert.equal(reach('host=127.0.0.1').ssl, undefined);
  assert.equal(reach('host=db.example.org', 'ssl-mode=DISABLED').ssl, undefined);
  assert.equal(reach('host=db.example.org', 'skip-ssl').ssl, undefined);
  assert.deepEqual(reach('host=db.example.org', 'ssl-verify-server-cert=0').ssl, verified);
});
