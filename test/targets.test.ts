import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { matchesGlob } from '../src/dispatcher/targets/glob.ts';
import { hostsMeant, selectHosts, type TargetHost, targetText } from '../src/dispatcher/targets.ts';
import { InputError } from '../src/lib/errors.ts';
import { changedLabels } from '../src/lib/labels.ts';

const soon = new Date('2026-12-01T00:00:00Z');
const host = (id: string, about: Partial<TargetHost> = {}): TargetHost => ({
  ...{ id, online: true, version: '1.3.9', labels: {}, facts: {} },
  ...{ cutOffUntil: null, hold: null, ownerHold: null },
  ...about,
});
const fleet = [
  host('db-01', {
    labels: { role: 'primary', dc: 'hz' },
    facts: { os: 'debian', cpus: 8, disk: { home: 20 }, ips: ['10.0.0.1', '192.0.2.1'] },
  }),
  host('db-02', {
    labels: { role: 'replica', dc: 'hz' },
    version: '1.4.0',
    facts: { os: 'centos', cpus: 16 },
  }),
  host('db-03', { labels: { role: 'replica', dc: 'sh' }, version: '1.4.0-rc.1', online: false }),
  host('web-1', { version: '1.10.0', hold: { by: 'op_alice', reason: 'moving house', until: soon } }),
  host('web-2', { version: null, online: false, ownerHold: 'a backup runs' }),
  host('web-3', { cutOffUntil: soon, labels: { dc: 'sh' } }),
];
const select = (...on: string[]) => selectHosts(fleet, on).map((one) => one.id);
const all = fleet.map((one) => one.id);

describe('a target', () => {
  const means: [on: string[], hosts: string[]][] = [
    [['all'], all],
    [['db-02'], ['db-02']],
    [['db-*'], ['db-01', 'db-02', 'db-03']],
    [
      ['*-?', 'web-*'],
      ['web-1', 'web-2', 'web-3'],
    ],
    [
      ['web-1', '*-01', 'db-01'],
      ['db-01', 'web-1'],
    ],
    [['role=replica'], ['db-02', 'db-03']],
    [['role=r*'], ['db-02', 'db-03']],
    [['role=*'], ['db-01', 'db-02', 'db-03']],
    [['role!=*'], ['web-1', 'web-2', 'web-3']],
    [['role!=replica'], ['db-01', 'web-1', 'web-2', 'web-3']],
    [['role=replica,dc=hz'], ['db-02']],
    [['db-*, version < 1.4.0'], ['db-01', 'db-03']],
    [['version<1.4'], ['db-01', 'web-3']],
    [['version=1.4'], ['db-02', 'db-03']],
    [['version=1.4.*'], ['db-02', 'db-03']],
    [['version=1.4.0'], ['db-02']],
    [['version>1.4'], ['web-1']],
    [['version>=1.4.0'], ['db-02', 'web-1']],
    [['version<=1'], ['db-01', 'db-02', 'db-03', 'web-1', 'web-3']],
    [['version!=1.3'], ['db-02', 'db-03', 'web-1', 'web-2']],
    [['status=away'], ['db-03', 'web-2']],
    [['status=held'], ['web-1', 'web-2']],
    [['status=cut_off'], ['web-3']],
    [['status=online,status!=held,status!=cut_off'], ['db-01', 'db-02']],
    [['fact.os=debian'], ['db-01']],
    [['fact.os=*'], ['db-01', 'db-02']],
    [['fact.cpus>=9'], ['db-02']],
    [['fact.disk.home<50'], ['db-01']],
    [['fact.ips=10.*'], ['db-01']],
    [
      ['all', '!db-*'],
      ['web-1', 'web-2', 'web-3'],
    ],
    [['!db-*'], ['web-1', 'web-2', 'web-3']],
    [['not db-*', 'not status=held'], ['web-3']],
    [
      ['db-*', '!role=replica,version<1.4.0'],
      ['db-01', 'db-02'],
    ],
    [['!db-01', 'db-01', 'db-02'], ['db-02']],
    [['!all'], []],
    [['version>9'], []],
  ];
  for (const [on, hosts] of means) {
    test(`${on.join(' and ')} means ${hosts.join(', ') || 'nobody'}`, () =>
      assert.deepEqual(select(...on), hosts));
  }

  const errors: [on: string, code: string, message: RegExp][] = [
    ['db-1', 'unknown_host', /^no host is called "db-1"; mega host list shows all$/],
    ['mysql-*', 'unknown_host', /^no host matches "mysql-\*"; mega host list shows all$/],
    ['!db-1', 'unknown_host', /no host is called "db-1"/],
    ['rol!=primary', 'unknown_label', /^no host has a label "rol"; mega host label gives one$/],
    ['role!=primry', 'unknown_label', /^no host has role=primry; there are: primary, replica$/],
    ['fact.so=debian', 'unknown_fact', /^no host has a fact "so"/],
    ['fact.os=suse', 'unknown_fact', /^no host has fact\.os=suse; there are: centos, debian$/],
    [
      'db.01',
      'bad_target',
      /the target "db\.01" is not understood: no host is called "db\.01".*a target is all, a name/,
    ],
    ['db-01,db-02', 'bad_target', /"db-01,db-02".*two names at once; give each a target of its own/],
    ['role=', 'bad_target', /"role=" lacks a name or a value/],
    ['=replica', 'bad_target', /lacks a name or a value/],
    ['role<3', 'bad_target', /role is compared with = and != alone/],
    ['version<new', 'bad_target', /"new" is no version such as 1\.4\.0/],
    ['version<1.4.*', 'bad_target', /is no version/],
    ['status=up', 'bad_target', /no status is called "up"; there are online, away, held, cut_off/],
    ['status<held', 'bad_target', /status is compared with = and != alone/],
    ['fact.os<debian', 'bad_target', /"debian" is no number/],
    ['fact.=x', 'bad_target', /fact\. lacks a name/],
    ['db-*,', 'bad_target', /something is missing/],
    ['', 'bad_target', /something is missing/],
    ['!!db-01', 'bad_target', /! stands once, before the whole/],
    ['role=replica,!db-02', 'bad_target', /within it != negates/],
  ];
  for (const [on, code, message] of errors) {
    test(`"${on}" is an error that says what is possible`, () => {
      assert.throws(
        () => selectHosts(fleet, [on]),
        (error: InputError) => {
          assert.ok(error instanceof InputError);
          assert.equal(error.code, code);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  test('without a term means nobody, and certainly not all', () => {
    assert.throws(() => selectHosts(fleet, []), /no host is named/);
  });

  test('of an empty fleet is no error where it names nobody', () => {
    assert.deepEqual(selectHosts([], ['all']), []);
    assert.deepEqual(selectHosts([], ['version<1.4', 'status=held']), []);
  });

  test('that stands for long goes on to mean the others when one of them is gone', () => {
    const meant = (...on: string[]) => hostsMeant(fleet, on).map((one) => one.id);
    assert.deepEqual(meant('gone-1', 'mysql-*', 'rack=7', 'role=replica'), ['db-02', 'db-03']);
    assert.deepEqual(meant('gone-1'), []);
    assert.throws(() => meant('role='), /lacks a name or a value/);
  });

  test('of many names is told in one line', () => {
    assert.equal(targetText(['db-*', '!db-01']), 'db-* !db-01');
    const many = Array.from({ length: 10_000 }, (_, i) => `host-${i}`);
    assert.match(targetText(many), /^host-0 .* host-99 and 9900 more$/);
  });

  test('finds nothing in what every object has', () => {
    assert.throws(() => select('constructor=*'), /no host has a label "constructor"/);
    assert.throws(() => select('fact.toString=*'), /no host has a fact "toString"/);
    assert.throws(() => select('fact.os.length=6'), /no host has a fact "os\.length"/);
  });
});

const condition = fc.constantFrom(
  ...[
    'all',
    'db-01',
    'db-*',
    '*-?',
    'role=replica',
    'role!=replica',
    'dc=*',
    'version<1.4',
    'version>=1.4.0',
  ],
  ...['version!=1.10', 'status=online', 'status!=held', 'fact.os=debian', 'fact.cpus>9'],
);
const term = fc.record({
  takesAway: fc.boolean(),
  conditions: fc
    .array(condition, { minLength: 1, maxLength: 3 })
    .filter((all) => all.filter((one) => one === 'db-01').length < 2),
});
const written = ({ takesAway, conditions }: { takesAway: boolean; conditions: string[] }) =>
  `${takesAway ? '!' : ''}${conditions.join(',')}`;

describe('whatever the targets are,', () => {
  test('a host is meant when a term means it, or all take away, and none takes it away', () => {
    fc.assert(
      fc.property(fc.array(term, { minLength: 1, maxLength: 6 }), (terms) => {
        const isMeantBy = (one: (typeof terms)[0], id: string) =>
          one.conditions.every((it) => select(it).includes(id));
        const naming = terms.filter((one) => !one.takesAway);
        const expected = all.filter(
          (id) =>
            (naming.length === 0 || naming.some((one) => isMeantBy(one, id))) &&
            !terms.some((one) => one.takesAway && isMeantBy(one, id)),
        );
        assert.deepEqual(select(...terms.map(written)), expected);
      }),
    );
  });

  test('!= means just those that = does not, and so does a term that takes away', () => {
    const equal = fc.constantFrom(
      'role=replica',
      'dc=h*',
      'version=1.4',
      'version=1.4.0',
      'status=held',
      'fact.os=debian',
    );
    fc.assert(
      fc.property(equal, (text) => {
        const others = all.filter((id) => !select(text).includes(id));
        assert.deepEqual(select(text.replace('=', '!=')), others);
        assert.deepEqual(select(`!${text}`), others);
      }),
    );
  });

  test('a version that is told is less, equal or greater, and just one of them', () => {
    const number = fc.integer({ min: 0, max: 3 });
    const version = fc.array(number, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.'));
    const told = fc
      .tuple(number, number, number, fc.constantFrom('', '-rc.1'))
      .map(([a, b, c, d]) => `${a}.${b}.${c}${d}`);
    fc.assert(
      fc.property(told, version, (runs, wanted) => {
        const one = [host('a', { version: runs })];
        const is = (operator: string) => selectHosts(one, [`version${operator}${wanted}`]).length === 1;
        assert.equal([is('<'), is('='), is('>')].filter(Boolean).length, 1);
        assert.equal(is('<='), is('<') || is('='));
        assert.equal(is('>='), is('>') || is('='));
        assert.equal(is('!='), !is('='));
      }),
    );
  });

  test('nonsense is an error that a person reads, never a fault of ours', () => {
    const letters = fc.constantFrom(
      ...'db-0*?,=!<>. version status fact.os role é\u0000"'.split(/(?=[ \W])/),
      ...'ab1=!,',
    );
    const text = fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.array(letters, { maxLength: 8 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (said) => {
        try {
          for (const one of selectHosts(fleet, [said])) assert.ok(fleet.includes(one));
        } catch (error) {
          assert.ok(error instanceof InputError && error.message.length > 0, String(error));
        }
      }),
    );
  });

  test('a pattern means what the regular expression does, without its bad days', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '-'), { maxLength: 8 }).map((all) => all.join(''));
    const pattern = fc
      .array(fc.constantFrom('a', 'b', '-', '*', '?'), { maxLength: 6 })
      .map((all) => all.join(''));
    fc.assert(
      fc.property(text, pattern, (said, wanted) => {
        const expected = new RegExp(`^${wanted.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(said);
        assert.equal(matchesGlob(said, wanted), expected);
      }),
      { numRuns: 1000 },
    );
    const began = performance.now();
    assert.equal(matchesGlob('a'.repeat(63), `${'*a'.repeat(90)}b`), false);
    assert.ok(performance.now() - began < 100);
  });
});

test('labels are given and taken away, up to 32 a host', () => {
  assert.deepEqual(changedLabels({ dc: 'hz', role: 'x' }, { role: 'y', dc: null, env: 'test' }), {
    role: 'y',
    env: 'test',
  });
  const many = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`l${i}`, 'x']));
  assert.equal(changedLabels(many, { more: 'x' }), undefined);
  assert.ok(changedLabels(many, { more: 'x', l0: null }));
});
