import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { conn } from '../src/lib/conn.ts';
import { examplesIn } from './support/examples.ts';
import { type Smtp, startSmtp } from './support/smtp.ts';
import { type Elsewhere, installTarball, layOutHost, runExample, typeErrors } from './support/stranger.ts';
import { useWorld } from './support/world.ts';

const examples = ['docs/library.md', 'README.md'].flatMap(examplesIn);
describe('the library', () => {
  const opened = new AsyncDisposableStack();
  const world = useWorld();
  let smtp: Smtp;
  let stranger: Elsewhere;
  let host: Elsewhere;
  let settings: Record<string, string>;

  before(async () => {
    smtp = opened.use(await startSmtp());
    const name = `library_${world().name}`;
    const server = opened.use(conn(world().servers.mariadb.url));
    await server.run(`CREATE DATABASE ${name}`);
    opened.defer(async () => void (await server.run(`DROP DATABASE ${name}`)));
    stranger = opened.use(await installTarball());
    host = opened.use(await layOutHost());
    settings = {
      MEGA_MYSQL: `${world().servers.mariadb.url}/${name}`,
      MEGA_SMTP: smtp.url,
      MEGA_MAIL_FROM: 'Mega <mega@example.org>',
      MEGA_CONFIG: world().operatorConfig,
    };
  });
  after(() => opened.disposeAsync());

  test('the documents have examples of every part', () => {
    for (const part of ['conn', 'mail', 'logs', 'sender', 'utils'])
      assert.ok(
        examples.some(({ code }) => code.includes(`from 'mega-fleet/${part}'`)),
        part,
      );
  });

  for (const [where, there] of [
    ['from the tarball that npm pack made, in an empty folder', () => stranger],
    ['on a host, beside the agent’s home', () => host],
  ] as const) {
    describe(where, () => {
      for (const example of examples) {
        test(`the example at ${example.place} does what it says`, async () => {
          const before = smtp.received.length;
          const printed = await runExample(there(), example, settings);
          if (example.prints !== undefined) assert.equal(printed, example.prints);
          if (example.code.includes('sendmail(')) {
            assert.equal(smtp.received.length, before + 1);
            assert.equal(smtp.received.at(-1)!.from, 'mega@example.org');
          }
        });
      }
    });
  }

  test('a stranger’s TypeScript is checked by the types that the tarball brings', async () => {
    const wrong = [
      "import { conn } from 'mega-fleet/conn';",
      "import { call } from 'mega-fleet/sender';",
      "import { sendmail } from 'mega-fleet/mail';",
      '// @ts-expect-error: an object is no value',
      "await conn().query('SELECT ?', [{ a: 1 }]);",
      '// @ts-expect-error: get_server wants a host',
      "await call('get_server');",
      '// @ts-expect-error: a mail needs a subject',
      "await sendmail({ to: 'a@b' });",
    ];
    writeFileSync(join(stranger.folder, 'wrong.ts'), wrong.join('\n'));
    assert.equal(await typeErrors(stranger), '');
  });

  test('what is only for mega itself is not offered to others', () => {
    const { exports } = JSON.parse(
      readFileSync(join(stranger.folder, 'node_modules/mega-fleet/package.json'), 'utf8'),
    ) as { exports: Record<string, { default: string; types: string }> };
    assert.deepEqual(Object.keys(exports), ['./conn', './logs', './mail', './sender', './utils']);
    for (const { default: file, types } of Object.values(exports))
      for (const path of [file, types])
        assert.ok(existsSync(join(stranger.folder, 'node_modules/mega-fleet', path)), path);
  });
});
