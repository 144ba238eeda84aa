import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { LABEL_NAME, type LabelChanges, labelChanges } from '../../lib/labels.ts';
import { check } from '../../lib/messages.ts';
import { HOST_ID } from '../../lib/utils.ts';
import type { Host } from '../answers.ts';
import { instantOf } from '../text.ts';
import { readCsv, writeCsv } from './csv.ts';
import { stateOf } from './show.ts';

/**
 * The inventory as a file: JSON, or CSV with a column for each label. What is brought back in is labels and holds; what
 * else an export tells is passed over. Pure.
 *
 * A label that a file does not name stays as it is; `null`, or an empty cell, takes it away. So it is with holds.
 */
type Held = { reason: string; until: string | null };
export type Brought = { host: string; labels?: LabelChanges | undefined; hold?: Held | null | undefined };

const LABEL = 'label.';
/** For whoever reads it. */
const TOLD = ['state', 'version', 'platform', 'last_seen', 'owner_hold'];

export function toCsv(hosts: Host[]): string {
  const names = [...new Set(hosts.flatMap((host) => Object.keys(host.labels)))].sort();
  const head = ['id', ...TOLD, 'hold', 'hold_until', ...names.map((name) => LABEL + name)];
  const rows = hosts.map((host) => {
    const { id, version, platform, lastSeenAt, ownerHold, hold, labels } = host;
    const told = [stateOf(host), version ?? '', platform ?? '', lastSeenAt ?? '', ownerHold ?? ''];
    const held = [hold?.reason ?? '', hold?.until ?? ''];
    return [id, ...told, ...held, ...names.map((name) => labels[name] ?? '')];
  });
  return writeCsv([head, ...rows]);
}

/** What begins with a bracket is JSON. Error: `bad_inventory`, which names the place. */
export function readInventory(text: string): Brought[] {
  const content = text.replace(/^\ufeff/, '');
  const brought = /^\s*[[{]/.test(content) ? fromJson(content) : fromCsv(readCsv(content));
  if (brought.length === 0) throw bad('there is no host in it');
  return brought;
}

const held = z.object({ reason: z.string().min(1), until: z.string().nullable().default(null) });
const listed = z
  .object({
    id: z.string().regex(HOST_ID, 'a host id: a-z, 0-9 and -, at most 63'),
    labels: labelChanges.optional(),
    hold: held.nullable().optional(),
  })
  .refine(
    ({ labels, hold }) => labels !== undefined || hold !== undefined,
    'neither "labels" nor "hold" is said',
  );

function fromJson(text: string): Brought[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw bad(`it is not JSON: ${(cause as Error).message}`);
  }
  const all = check(z.array(listed), Array.isArray(parsed) ? parsed : [parsed], 'bad_inventory');
  return all.map(({ id, labels, hold }) => {
    return { host: id, labels, hold: hold && { reason: hold.reason, until: timeIn(hold.until, id) } };
  });
}

function fromCsv([head = [], ...rows]: string[][]): Brought[] {
  if (head.length === 0) return [];
  const titles = head.map((title) => title.trim());
  const isLabel = (title: string) => title.startsWith(LABEL) && LABEL_NAME.test(title.slice(LABEL.length));
  const known = ['id', 'hold', 'hold_until', ...TOLD];
  const odd = titles.find((title) => !known.includes(title) && !isLabel(title));
  if (odd !== undefined)
    throw bad(`no column is called "${odd}"; there are ${known.join(', ')}, and label.NAME`);
  if (!titles.includes('id')) throw bad('the column id is missing');
  return rows.map((cells, i) => {
    const row = new Map(titles.map((title, at) => [title, cells[at]?.trim() ?? '']));
    const host = row.get('id') ?? '';
    if (!HOST_ID.test(host)) throw bad(`row ${i + 2}: "${host}" is no host id`);
    const labels = titles.filter(isLabel).map((title) => [title.slice(LABEL.length), row.get(title) || null]);
    return {
      host,
      labels: labels.length > 0 ? Object.fromEntries(labels) : undefined,
      hold: holdIn(row, host),
    };
  });
}

function holdIn(row: Map<string, string>, host: string): Held | null | undefined {
  const reason = row.get('hold');
  if (reason === undefined || reason === '') return reason === '' ? null : undefined;
  return { reason, until: timeIn(row.get('hold_until') || null, host) };
}

function timeIn(text: string | null, host: string): string | null {
  if (text === null) return null;
  const until = instantOf(text);
  if (until !== undefined) return until;
  throw bad(`the hold of ${host} ends at "${text}", which is no time such as 2026-12-01T02:00`);
}

/** For the way: hosts of which the same is said stand together, so that ten thousand fit into one message. */
export function grouped(brought: Brought[]): { hosts: string[]; labels?: unknown; hold?: unknown }[] {
  const key = ({ labels, hold }: Brought) => JSON.stringify([labels, hold]);
  return [...Map.groupBy(brought, key).values()].map((group) => {
    const { labels, hold } = group[0]!;
    return { hosts: group.map((one) => one.host), labels, hold };
  });
}

const bad = (why: string) => new InputError('bad_inventory', `the inventory cannot be used: ${why}`);
