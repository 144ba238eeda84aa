// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the made-up sources hold templates
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { type Rule, report } from '../dev/structure/finding.ts';
import { importsOf, layersHold, noCircles, oneOwner } from '../dev/structure/imports.ts';
import { environmentInConfig, exitInMain, noMachineNames, sqlInStore } from '../dev/structure/places.ts';
import {
  functionsOf,
  maxFileLines,
  maxFunctionLines,
  smallFiles,
  smallFunctions,
} from '../dev/structure/size.ts';
import { source } from '../dev/structure/source.ts';
import { readTree } from '../dev/structure/tree.ts';

const tree = readTree(join(dirname(import.meta.filename), '..'));

/** The rule finds exactly these places (`path:line`) in a made-up tree. */
function finds(rule: Rule, made: Record<string, string>, places: string[]): void {
  const findings = rule(Object.entries(made).map(([path, text]) => ({ path, text })));
  assert.deepEqual(findings.map((f) => `${f.path}:${f.line}`).sort(), places.sort(), report(findings));
  for (const { rule: name, what, todo } of findings) assert.ok(name && what && todo);
}

function holds(rule: Rule): void {
  const findings = rule(tree);
  assert.ok(findings.length === 0, `\n${report(findings)}\n`);
}

test('this tree is read: the rules below look at something', () => {
  assert.ok(tree.some(({ path }) => path === 'test/structure.test.ts'));
  assert.ok(!tree.some(({ path }) => path.startsWith('node_modules/')));
});

test('no import closes a circle', () => holds(noCircles));
test('a circle is found, however long, and a circle of types alone is not one', () => {
  finds(
    noCircles,
    {
      'src/lib/a.ts': "import { b } from './b.ts';\n",
      'src/lib/b.ts': "\nimport {\n  c,\n} from './sub/c.ts';\n",
      'src/lib/sub/c.ts': "// c\nexport * from '../a.ts';\n",
    },
    ['src/lib/sub/c.ts:2'],
  );
  finds(noCircles, { 'dev/a.ts': "await import('./a.ts');\n" }, ['dev/a.ts:1']);
  finds(
    noCircles,
    {
      'test/a.ts': "import type { B } from './b.ts';\nimport { type C } from './c.ts';\n",
      'test/b.ts': "import { a } from './a.ts';\n",
      'test/c.ts': "// import { a } from './a.ts';\nconst text = `import { a } from './a.ts'`;\n",
    },
    [],
  );
});

test('every way of importing is seen, and what only looks like one is not', () => {
  const text = [
    "import a from 'a';",
    "import type { B } from 'b';",
    "import 'c';",
    "import * as d from 'd';",
    "export { e } from '@e/e/deep';",
    "const f = await import('f');",
    "const g = require('g');",
    "type H = import('h').H;",
    "import i, { type I } from 'i';",
    "import{j}from'j';",
    "import type, { k } from 'k';",
    "export type * from 'l';",
    "export const x = { from: 'no' };",
    "export function from(y = 'no') {}",
    "const s = \"import z from 'no'\"; // import z from 'no'",
  ].join('\n');
  const found = importsOf({ path: 'src/x.ts', text });
  assert.deepEqual(
    found.map((i) => i.specifier),
    ['a', 'b', 'c', 'd', '@e/e/deep', 'f', 'g', 'h', 'i', 'j', 'k', 'l'],
  );
  assert.deepEqual(
    found.filter((i) => i.typeOnly).map((i) => i.specifier),
    ['b', 'l'],
  );
});

test('lib knows none of the others, they know lib alone, and src knows neither dev nor test', () =>
  holds(layersHold));
test('an import across the layers is found', () => {
  finds(
    layersHold,
    {
      'src/lib/a.ts': "import '../agent/main.ts';\nimport './b.ts';\n",
      'src/lib/b.ts': "import type { T } from '../dispatcher/t.ts';\n",
      'src/agent/a.ts': "import '../lib/a.ts';\nimport './b.ts';\nimport '../dispatcher/a.ts';\n",
      'src/cli/a.ts': "import '../agent/a.ts';\nimport '../lib/a.ts';\nimport '../../package.json';\n",
      'src/dispatcher/store/a.ts': "import '../../../dev/a.ts';\nimport '../jobs/a.ts';\n",
      'test/a.ts': "import '../dev/a.ts';\nimport '../src/lib/a.ts';\n",
    },
    ['src/lib/a.ts:1', 'src/lib/b.ts:1', 'src/agent/a.ts:3', 'src/cli/a.ts:1', 'src/dispatcher/store/a.ts:1'],
  );
});

test('each outside package has one owner', () => holds(oneOwner));
test('a second owner of a package is found, types included', () => {
  finds(
    oneOwner,
    {
      'src/lib/broker.ts': "import amqp from 'amqplib';\nimport { z } from 'zod';\nimport 'node:fs';\n",
      'src/lib/other.ts':
        "import { z } from 'zod';\nimport 'node:fs';\nimport type { X } from 'amqplib/types';\n",
      'src/agent/journal.ts': "import 'node:sqlite';\n",
      'src/agent/more.ts': "import 'node:sqlite';\nimport { Command } from 'commander';\n",
      'src/cli/a.ts': "import { Command } from 'commander';\nimport '@a/b/c';\n",
      'src/cli/b.ts': "import { Command } from 'commander';\nimport '@a/c';\n",
      'test/a.ts': "import amqp from 'amqplib';\n",
    },
    [
      'src/lib/broker.ts:1',
      'src/lib/other.ts:3',
      'src/agent/journal.ts:1',
      'src/agent/more.ts:1',
      'src/agent/more.ts:2',
    ],
  );
});

test('all SQL stands in the store', () => holds(sqlInStore));
test('SQL outside the store is found', () => {
  finds(
    sqlInStore,
    {
      'src/dispatcher/jobs/a.ts': [
        'const a = sql`anything`;',
        "const b = 'SELECT id FROM host';",
        'const c = `UPDATE ${table} SET x = 1`;',
        '// SELECT id FROM host',
        "const d = 'select a host, then UPDATE it';",
        'const e = sql<Row>`x`;',
      ].join('\n'),
      'src/dispatcher/store/hosts.ts': 'const a = sql`SELECT 1 FROM host`;',
      'src/agent/journal.ts': "const a = 'CREATE TABLE t (x)';",
      'src/agent/journal/rows.ts': "const a = 'DELETE FROM t';",
      'src/lib/conn.ts':
        "const a = 'SELECT 1';\nconst b = `SET SESSION x = 1`;\nconst c = 'SELECT x FROM t';",
      'src/lib/conn/insert.ts':
        'const a = `INSERT INTO ${t} (${c}) VALUES `;\nconst b = `INSERT INTO hosts (${c}) VALUES `;',
      'test/a.ts': "const a = 'SELECT 1';",
    },
    [
      'src/dispatcher/jobs/a.ts:1',
      'src/dispatcher/jobs/a.ts:2',
      'src/dispatcher/jobs/a.ts:3',
      'src/dispatcher/jobs/a.ts:6',
      'src/lib/conn.ts:3',
      'src/lib/conn/insert.ts:2',
    ],
  );
});

test('the environment is read in src/lib/config.ts and environment.ts alone', () =>
  holds(environmentInConfig));
test('reading the environment elsewhere is found', () => {
  finds(
    environmentInConfig,
    {
      'src/lib/config.ts': 'const a = process.env.A;',
      'src/lib/environment.ts': 'const a = process.env.A;',
      'src/agent/a.ts': [
        'const a = process.env.A;',
        "const b = process['env'];",
        'const c = `${process.env.B}`;',
        'const { env } = process;',
        "const d = 'process.env'; // process.env",
        'const { env: e } = process.versions;',
      ].join('\n'),
      'dev/a.ts': 'const a = process.env.A;',
    },
    ['src/agent/a.ts:1', 'src/agent/a.ts:2', 'src/agent/a.ts:3', 'src/agent/a.ts:4'],
  );
});

test('only the main files end the process or hear its signals', () => holds(exitInMain));
test('ending the process elsewhere is found', () => {
  const all = [
    'process.exit(1);',
    'process.exitCode = 1;',
    "process.on('SIGTERM', stop);",
    "process.once('SIGINT', stop);",
    "process.kill(process.pid, 'SIGKILL');",
    "process.on('warning', log);",
    "process.kill(child.pid, 'SIGTERM'); // process.exit(1)",
  ].join('\n');
  finds(
    exitInMain,
    {
      'src/cli/main.ts': all,
      'src/dispatcher/main.ts': all,
      'src/agent/main.ts': all,
      'src/agent/run.ts': all,
      'src/agent/fault.ts': "process.kill(process.pid, 'SIGKILL');\nprocess.exit(1);",
      'src/lib/a.ts': "import { exit } from 'node:process';",
      'src/lib/public/logs.ts': "process.on('SIGHUP', reopen);\nprocess.exit(1);",
    },
    [1, 2, 3, 4, 5]
      .map((line) => `src/agent/run.ts:${line}`)
      .concat('src/agent/fault.ts:2', 'src/lib/a.ts:1', 'src/lib/public/logs.ts:2'),
  );
});

test(`no file under src is longer than ${maxFileLines} lines`, () => holds(smallFiles));
test('a file that is too long is found', () => {
  finds(
    smallFiles,
    {
      'src/lib/a.ts': 'x;\n'.repeat(maxFileLines),
      'src/lib/b.ts': 'x;\n'.repeat(maxFileLines + 1),
      'test/c.ts': 'x;\n'.repeat(maxFileLines + 1),
    },
    [`src/lib/b.ts:${maxFileLines + 1}`],
  );
});

test(`no function under src is longer than ${maxFunctionLines} lines`, () => holds(smallFunctions));
test('a function that is too long is found, in every way to write one', () => {
  const long = '\n'.repeat(maxFunctionLines);
  const fits = '\n'.repeat(maxFunctionLines - 1);
  const heads = [
    'function a(x: number): Promise<{ y: 1 }> {',
    'const b = async (x: string): Promise<void> => {',
    'const c = x => {',
    'class D { async *e<T>(x: T): AsyncGenerator<T> {',
    'class F { constructor(x = /[(]/) {',
    'const g = { get h() {',
  ];
  for (const head of heads) {
    const close = '}'.repeat(head.split('{ ').length > 1 && !head.includes('<{') ? 2 : 1);
    finds(smallFunctions, { 'src/a.ts': `\n${head}${long}${close}` }, ['src/a.ts:2']);
    finds(smallFunctions, { 'src/a.ts': `\n${head}${fits}${close}` }, []);
  }
  const blocks = `if (a) {${long}}\nfor await (const b of c) {${long}}\nclass A {${long}}\nconst o = {${long}};`;
  finds(smallFunctions, { 'src/a.ts': blocks }, []);
});
test('the name of a function is told', () => {
  const text = 'function a() {}\nconst b = async () => {};\nclass X { c(): void {} }\nd(() => {});';
  assert.deepEqual(
    functionsOf({ path: 'src/a.ts', text }).map((f) => f.name),
    ['a', 'b', 'c', 'a function'],
  );
});

test('no file names a path of one machine or a host of a registry', () => holds(noMachineNames));
test('machine paths and registry hosts are found in any file', () => {
  const [workplace, home] = ['work', 'root'].map((name) => `/${name}/`);
  const host = ['registry', 'npmjs', 'org'].join('.');
  finds(
    noMachineNames,
    {
      'docs/a.md': `See ${workplace}x.\nFine: ./a${workplace}x, .${workplace}, $\{HOME}${home}\n`,
      'deploy/b.service': `\nExecStart=${home}x\n`,
      '.npmrc': `# https://${host}/\n`,
      'package-lock.json': `{\n${['"resolved": ', '"http://x/y.tgz"'].join('')}\n}`,
    },
    ['docs/a.md:1', 'deploy/b.service:2', '.npmrc:1', 'package-lock.json:2'],
  );
});

test('code is told from comments, strings, templates and patterns', () => {
  const text =
    "const a = 'x//y'; /* b */ c = /[/'`]\"/g; d = `e${f({ g: `h${i}` })}j`; k = l / m; // n\no = p\\q;";
  const { bare, code, strings, templates } = source({ path: 'src/a.ts', text });
  assert.equal(bare.length, text.length);
  assert.equal(code.length, text.length);
  assert.ok(bare.includes('x//y') && !bare.includes(' b ') && !bare.includes('// n'));
  assert.equal(
    code.replace(/ +/g, ' '),
    "const a = ' '; c = / /g; d = ` ${f({ g: ` ${i}` })} `; k = l / m; \no = p\\q;",
  );
  assert.equal(strings.length, 1);
  assert.deepEqual(
    templates.map((t) => t.parts.length),
    [2, 2],
  );
});
