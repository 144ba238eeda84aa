import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { test } from 'node:test';
import { madeFiles } from '../dev/reference.ts';
import { argumentsOf, type Schema, typeText } from '../src/cli/api/schema.ts';

test('docs/api.md and the types of the functions are those of the registry; npm run docs makes them', () => {
  for (const [path, text] of madeFiles()) {
    const there = readFileSync(path, 'utf8');
    assert.ok(there === text, `${relative('.', path)} is not current: npm run docs`);
  }
});

test('a schema is told as the type that it is', () => {
  const told: [Schema, string][] = [
    [{ type: 'integer' }, 'number'],
    [{ enum: ['a', 'b'] }, '"a" | "b"'],
    [{ anyOf: [{ type: 'string' }, { type: 'null' }, { const: '' }] }, 'string | null'],
    [{ type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'number' }] } }, '(string | number)[]'],
    [{ type: 'object', additionalProperties: { type: 'string' } }, 'Record<string, string>'],
    [
      { type: 'object', properties: { a: { type: 'string' }, 'b-c': {} }, required: ['a'] },
      '{ a: string; "b-c"?: unknown }',
    ],
  ];
  for (const [schema, text] of told) assert.equal(typeText(schema), text);
  const schema = {
    properties: { limit: { type: 'integer', default: 20 }, id: { type: 'string' } },
    required: ['id'],
  };
  assert.deepEqual(
    argumentsOf(schema).map((one) => [one.name, one.required, one.default]),
    [
      ['id', true, ''],
      ['limit', false, '20'],
    ],
  );
});
