import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

/** docs/security.md says which test shows that an attack is stopped. Here the document is held to it. */
const root = join(import.meta.dirname, '..');
const document = readFileSync(join(root, 'docs/security.md'), 'utf8');

type Shown = { row: string; file: string; sentence: string };

/** The tests that the tables of attacks name: their third column, one a line. */
function shownIn(markdown: string): Shown[] {
  return tableRows(markdown).flatMap((row) => {
    const [, tried = '', , tests = ''] = row.split('|').map((cell) => cell.trim());
    return tests.split('<br>').map((one) => {
      const [, file = '', sentence = ''] = /^`(test\/[^`]+)` (.+)$/.exec(one) ?? [];
      return { row: tried, file, sentence };
    });
  });
}

function tableRows(markdown: string): string[] {
  const tables = markdown.split(/\n{2,}/).filter((part) => part.startsWith('| tried |'));
  return tables.flatMap((table) => table.trim().split('\n').slice(2));
}

/** What is wrong with what a row says; nothing when its test is there, as a whole string of that file. */
function wrongWith({ row, file, sentence }: Shown, read: (file: string) => string | undefined): string[] {
  if (!file) return [`"${row}" names no test`];
  const text = read(file)?.replaceAll("\\'", "'");
  if (text === undefined) return [`"${row}": there is no ${file}`];
  const isThere = ["'", '"', '`'].some((quote) => text.includes(`${quote}${sentence}${quote}`));
  return isThere ? [] : [`"${row}": ${file} has no test "${sentence}"`];
}

const readHere = (file: string) => {
  const path = join(root, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
};

test('every attack in docs/security.md names a test that is there', () => {
  const shown = shownIn(document);
  assert.ok(shown.length > 80, `only ${shown.length} tests are named`);
  assert.deepEqual(
    shown.flatMap((one) => wrongWith(one, readHere)),
    [],
  );
});

test('every test of an attack stands in docs/security.md', () => {
  for (const name of ['attack-broker', 'attack-archive', 'attack-input', 'secrets']) {
    const file = `test/${name}.test.ts`;
    assert.ok(
      shownIn(document).some((one) => one.file === file),
      `${file} shows nothing`,
    );
  }
});

test('a row without a test, with one that is gone, or with part of a name is found', () => {
  const table = (cell: string) =>
    `text\n\n| tried | stopped by | shown by |\n|---|---|---|\n| x | y | ${cell} |\n\ntext`;
  const read = (file: string) =>
    file === 'test/a.test.ts' ? "test('it is there, isn\\'t it', () => {" : undefined;
  const wrong = (cell: string) => shownIn(table(cell)).flatMap((one) => wrongWith(one, read));
  assert.deepEqual(wrong("`test/a.test.ts` it is there, isn't it"), []);
  assert.deepEqual(wrong(''), ['"x" names no test']);
  assert.deepEqual(wrong('soon'), ['"x" names no test']);
  assert.deepEqual(wrong('`test/b.test.ts` it'), ['"x": there is no test/b.test.ts']);
  assert.deepEqual(wrong('`test/a.test.ts` it is there'), ['"x": test/a.test.ts has no test "it is there"']);
  assert.equal(wrong("`test/a.test.ts` it is there, isn't it<br>`test/a.test.ts` gone").length, 1);
});
