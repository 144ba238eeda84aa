import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { compose } from '../src/dispatcher/alerts/compose.ts';
import { remindEveryMs } from '../src/dispatcher/alerts/expiring.ts';
import { heldBackOf, isMailDue } from '../src/dispatcher/alerts/pace.ts';
import type { Section } from '../src/dispatcher/store/alert-mails.ts';
import { mailAddress } from '../src/lib/alert-settings.ts';
import type { AlertKind } from '../src/lib/alerts.ts';
import { loadDispatcherConfig } from '../src/lib/config.ts';
import { keyToBase64, newKey } from '../src/lib/trust/keys.ts';
import { scratch } from './support/cli.ts';

const HOUR_MS = 3_600_000;
const at = (ms: number) => new Date(1_800_000_000_000 + ms);

describe('when a mail goes', () => {
  const pace = { gatherMs: 10_000, maxPerHour: 12 };
  const standing = (now: number, oldest: number | null, lastSent: number | null) => ({
    ...{ now: at(now), underWay: false },
    oldest: oldest === null ? null : at(oldest),
    lastSent: lastSent === null ? null : at(lastSent),
  });

  test('the first alert waits for those that come along with it, and no longer', () => {
    assert.equal(isMailDue(standing(9_999, 0, null), pace), false);
    assert.equal(isMailDue(standing(10_000, 0, null), pace), true);
    assert.equal(isMailDue(standing(10_000, null, null), pace), false);
    assert.equal(isMailDue(standing(HOUR_MS + 10_000, HOUR_MS, 0), pace), true);
  });

  test('what comes soon after a mail waits for its share of the hour, and counts as held back', () => {
    assert.equal(isMailDue(standing(299_999, 20_000, 0), pace), false);
    const due = standing(300_000, 20_000, 0);
    assert.equal(isMailDue(due, pace), true);
    const raised = [20_000, 100_000, 295_000].map((ms) => ({ raisedAt: at(ms) }));
    assert.equal(heldBackOf(due, raised, pace), 2, 'the last has only just come');
    assert.equal(heldBackOf(standing(20_000, 5_000, null), raised, pace), 0);
    assert.equal(heldBackOf(due, [], pace), 0);
  });

  test('however alerts come, no hour has more mails than the limit, and none is told later than its share allows', () => {
    const raised = fc.array(fc.integer({ min: 0, max: 4 * HOUR_MS }), { minLength: 1, maxLength: 200 });
    const limit = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(raised, limit, fc.integer({ min: 1_000, max: 60_000 }), (times, maxPerHour, gatherMs) => {
        const sent = mailsOf(times, { maxPerHour, gatherMs });
        for (const [i, mail] of sent.entries()) {
          const inHour = sent.slice(i).filter((one) => one.at < mail.at + HOUR_MS);
          assert.ok(inHour.length <= maxPerHour);
        }
        assert.equal(
          sent.reduce((sum, one) => sum + one.alerts.length, 0),
          times.length,
          'each told once',
        );
        for (const { at: told, alerts } of sent) {
          for (const one of alerts) assert.ok(told - one <= gatherMs + HOUR_MS / maxPerHour + STEP_MS);
        }
      }),
      { numRuns: 50 },
    );
  });

  const STEP_MS = 1_000;

  function mailsOf(times: number[], how: typeof pace): { at: number; alerts: number[] }[] {
    const sent: { at: number; alerts: number[] }[] = [];
    let waiting = times.toSorted((a, b) => a - b);
    for (let now = 0; waiting.length > 0; now += STEP_MS) {
      const due = waiting.filter((one) => one <= now);
      if (!isMailDue(standing(now, due[0] ?? null, sent.at(-1)?.at ?? null), how)) continue;
      sent.push({ at: now, alerts: due });
      waiting = waiting.slice(due.length);
    }
    return sent;
  }
});

describe('a mail of alerts', () => {
  const one = (kind: AlertKind, about: string, text: string) => {
    return { id: about, kind, about, text, raisedAt: at(0) };
  };
  const many = (kind: AlertKind, count: number, listed = Math.min(count, 20)): Section => {
    const first = Array.from({ length: listed }, (_, i) => one(kind, `db-${i}`, 'not heard of'));
    return { kind, count, first };
  };
  const plain = { heldBack: 0, maxPerHour: 12, givenUp: 0 };

  test('names the first of many and counts the rest, in order of kind', () => {
    const { subject, text, html } = compose({
      ...plain,
      sections: [many('host_lost', 1_000), many('job_paused', 2)],
    });
    assert.equal(subject, 'mega: 2 jobs paused, 1000 hosts lost');
    assert.match(
      text,
      /^2 jobs paused\n {2}db-0: not heard of\n {2}db-1: not heard of\n\n1000 hosts lost\n {2}db-0/,
    );
    assert.match(text, / {2}db-19: not heard of\n {2}and 980 more\n/);
    assert.doesNotMatch(text, /db-20|held back|in no mail/);
    assert.match(html, /<h3>1000 hosts lost<\/h3>[\s\S]*<li>and 980 more<\/li>/);
    assert.ok(text.length < 2_000 && html.length < 4_000);
  });

  test('of a single alert says in its subject what it is about', () => {
    const { subject } = compose({ ...plain, sections: [many('quarantined', 1)] });
    assert.equal(subject, 'mega: version quarantined: db-0');
  });

  test('tells what was held back, and how many are in no mail', () => {
    const { text, html } = compose({
      sections: [many('trouble', 3)],
      heldBack: 2,
      maxPerHour: 6,
      givenUp: 40,
    });
    for (const said of [text, html]) {
      assert.match(said, /2 of these were held back for a while: at most 6 mails go in an hour/);
      assert.match(said, /40 earlier alerts are in no mail/);
    }
    assert.equal(
      compose({ ...plain, sections: [], givenUp: 40 }).subject,
      'mega: 40 alerts that could not be mailed',
    );
  });

  test('shows what a host wrote as text, in HTML too, and it makes no line of its own', () => {
    const hostile = one(
      'job_failed',
      'a\r\nBcc: x@example.org',
      '<img src=x onerror="alert(\'1\')"> & \u202egpj\r\n.\r\n',
    );
    const { subject, text, html } = compose({
      ...plain,
      sections: [{ kind: 'job_failed', count: 1, first: [hostile] }],
    });
    assert.equal(subject, 'mega: job failed: a Bcc: x@example.org');
    assert.doesNotMatch(text, /^\.|^Bcc|\r|\u202e/m);
    assert.match(html, /&lt;img src=x onerror=&quot;alert\(&#39;1&#39;\)&quot;&gt; &amp; /);
    assert.doesNotMatch(html, /<img|\u202e/);
  });
});

test('of what is about to expire people are reminded each week, and each day in the last one', () => {
  const DAY_MS = 24 * HOUR_MS;
  const days = [40, 8, 7, 1, -3].map((left) => remindEveryMs(left * DAY_MS) / DAY_MS);
  assert.deepEqual(days, [7, 7, 1, 1, 1]);
});

describe('the configuration of mail', () => {
  const folder = scratch();
  after(() => folder[Symbol.dispose]());

  function load(mail: object, alerts: object = {}) {
    const key = keyToBase64(newKey());
    const servers = {
      broker: 'amqp://localhost/',
      management: 'http://localhost:15672',
      database: 'mysql://localhost/m',
    };
    const path = join(folder.path, 'dispatcher.json');
    const settings = { from: 'mega@example.org', to: ['ops@example.org'], ...mail };
    writeFileSync(
      path,
      JSON.stringify({ ...servers, keys: { online: key, orders: key }, mail: settings, alerts }),
    );
    return loadDispatcherConfig(path);
  }
  const refused = (mail: object, what: RegExp, alerts = {}) =>
    assert.throws(
      () => load(mail, alerts),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'bad_config');
        assert.match(error.message, what);
        return !error.message.includes('hush');
      },
    );
  const url = 'smtp://me:hush@mail.example.org:587';

  test('that would send the password plainly, or is none, is refused without telling it', () => {
    refused({ url: `${url}?tls=off` }, /smtp:\/\/mail\.example\.org:587 .*leave out tls=off/);
    refused({ url: `${url}?insecure=yes` }, /parameter "insecure" is not known/);
    refused({ url: 'http://me:hush@mail.example.org' }, /mail\.url: a URL of a mail server/);
    refused({ url, ca: 'nowhere.crt' }, /nowhere\.crt cannot be read/);
    refused({ url, to: [] }, /mail\.to/);
    refused({ url }, /alerts\.kinds\.0/, { kinds: ['weather'] });
    assert.equal(load({ url }).alerts.maxPerHour, 12);
  });

  test('takes bare addresses only, each of which is one', () => {
    for (const good of ['ops@example.org', 'root@localhost', 'a+b@x.de', 'jörg@example.org'])
      assert.ok(mailAddress.safeParse(good).success, good);
    const bad = [
      'ops',
      'a@b, c@d',
      'A <a@b.de>',
      'a@b\r\nBcc: c@d',
      'a b@c',
      '"a"@b',
      'a@b@c',
      'group:a@b;',
      '',
    ];
    for (const one of bad) assert.ok(!mailAddress.safeParse(one).success, one);
  });
});
