import { InputError } from '../lib/errors.ts';
import { compareVersions, VERSION } from '../lib/utils.ts';
import type { HostRow } from './store/hosts.ts';
import { isGlob, matchesGlob } from './targets/glob.ts';
import { bad, type Condition, type Operator, parseTerm, type Term } from './targets/term.ts';

/**
 * Who is meant by targets. Pure; the grammar is in targets/term.ts.
 *
 * - A host is meant when one of the terms means it, and none takes it away. Where all terms take away, they do so from
 *   all hosts.
 * - `!=` is always the opposite of `=`. What a host does not have, or has not told, equals nothing and is less or more
 *   than nothing: `role!=replica` means hosts without a role, too.
 * - A name, label or fact that no host has is an error and not an empty target: it is a slip of the pen, or of a host
 *   that is gone, and `role!=primry` would mean the very hosts that are to be spared. That no host is away, or older, is
 *   no error.
 */
export type TargetHost = Pick<
  HostRow,
  'id' | 'online' | 'version' | 'labels' | 'facts' | 'cutOffUntil' | 'hold' | 'ownerHold'
>;

/** The hosts that are meant, in their order. Errors: `bad_target`, `unknown_host`, `unknown_label`, `unknown_fact`. */
export function selectHosts<T extends TargetHost>(hosts: T[], on: string[]): T[] {
  const terms = parseAll(on);
  const ids = new Set(hosts.map((host) => host.id));
  for (const condition of terms.flatMap((term) => term.conditions)) requireKnown(condition, hosts, ids);
  return meantBy(terms, hosts);
}

/**
 * The same for what stands for long, such as a maintenance window: it may be there before the first of its hosts, and
 * one of them may go; what is not there means nobody then, and all else means what it did. Error: `bad_target`.
 */
export function hostsMeant<T extends TargetHost>(hosts: T[], on: string[]): T[] {
  return meantBy(parseAll(on), hosts);
}

/** For people, in one line: of thousands, the first. */
export function targetText(on: string[]): string {
  const first = on.slice(0, MOST_TOLD).join(' ');
  return on.length <= MOST_TOLD ? first : `${first} and ${on.length - MOST_TOLD} more`;
}

const MOST_TOLD = 100;

function parseAll(on: string[]): Term[] {
  if (on.length === 0) throw bad('', 'no host is named');
  return on.map(parseTerm);
}

function meantBy<T extends TargetHost>(terms: Term[], hosts: T[]): T[] {
  const byId = new Map(hosts.map((host) => [host.id, host]));
  const fitting = ({ conditions }: Term): T[] => {
    const [only] = conditions;
    // Of ten thousand names each is looked up once.
    if (conditions.length === 1 && only?.is === 'name' && !isGlob(only.pattern)) {
      const named = byId.get(only.pattern);
      return named ? [named] : [];
    }
    return hosts.filter((host) => conditions.every((one) => holds(one, host)));
  };
  const naming = terms.filter((term) => !term.takesAway);
  const meant = new Set(naming.length === 0 ? hosts : naming.flatMap(fitting));
  for (const term of terms.filter((one) => one.takesAway))
    for (const host of fitting(term)) meant.delete(host);
  return hosts.filter((host) => meant.has(host));
}

function holds(condition: Condition, host: TargetHost): boolean {
  switch (condition.is) {
    case 'all':
      return true;
    case 'name':
      return matchesGlob(host.id, condition.pattern);
    case 'label':
    case 'fact':
      return compares(condition.operator, valuesOf(host, condition), condition.value);
    case 'version':
      return isOrdered(condition.operator, versionOrder(host.version, condition.value));
    case 'status':
      return (condition.operator === '=') === statuses[condition.value](host);
  }
}

const statuses = {
  online: (host: TargetHost) => host.online,
  away: (host: TargetHost) => !host.online,
  held: (host: TargetHost) => host.hold !== null || host.ownerHold !== null,
  cut_off: (host: TargetHost) => host.cutOffUntil !== null,
};

/** A label has one value; a fact may be a list, of which one fits. */
function compares(operator: Operator, values: string[], value: string): boolean {
  if (operator === '=' || operator === '!=')
    return (operator === '=') === values.some((one) => matchesGlob(one, value));
  return values.some((one) => one !== '' && isOrdered(operator, Number(one) - Number(value)));
}

/** `order` is below, at or above 0; undefined or not a number where there is nothing to compare. */
function isOrdered(operator: Operator, order: number | undefined): boolean {
  if (operator === '!=') return order !== 0;
  if (order === undefined || Number.isNaN(order)) return false;
  if (order === 0) return operator === '=' || operator === '<=' || operator === '>=';
  return order < 0 ? operator.startsWith('<') : operator.startsWith('>');
}

/** A short one, such as 1.4, is compared with as much of the host's. */
function versionOrder(version: string | null, wanted: string): number | undefined {
  if (version === null) return undefined;
  if (VERSION.test(wanted)) return compareVersions(version, wanted);
  const parts = wanted.split('.').length;
  return compareVersions(version.split('-')[0]!.split('.').slice(0, parts).join('.'), wanted);
}

type Said = Extract<Condition, { is: 'label' | 'fact' }>;

function valuesOf(host: TargetHost, { is, name }: Said): string[] {
  if (is === 'label') return Object.hasOwn(host.labels, name) ? [host.labels[name]!] : [];
  return factOf(host.facts, name).map(String);
}

/** `disk.home` is a fact within a fact, unless one is called so itself. */
function factOf(facts: unknown, name: string): (string | number | boolean)[] {
  if (typeof facts !== 'object' || facts === null) return [];
  if (Object.hasOwn(facts, name)) return [(facts as Record<string, unknown>)[name]].flat().filter(isPlain);
  const dot = name.indexOf('.');
  if (dot < 0 || !Object.hasOwn(facts, name.slice(0, dot))) return [];
  return factOf((facts as Record<string, unknown>)[name.slice(0, dot)], name.slice(dot + 1));
}

const isPlain = (value: unknown): value is string | number | boolean =>
  ['string', 'number', 'boolean'].includes(typeof value);

function requireKnown(condition: Condition, hosts: TargetHost[], ids: ReadonlySet<string>): void {
  if (condition.is === 'name') requireHost(condition.pattern, ids);
  if (condition.is === 'label' || condition.is === 'fact') requireValue(condition, hosts);
}

function requireHost(pattern: string, ids: ReadonlySet<string>): void {
  if (ids.has(pattern)) return;
  if (isGlob(pattern) && [...ids].some((id) => matchesGlob(id, pattern))) return;
  const what = isGlob(pattern) ? 'no host matches' : 'no host is called';
  throw new InputError('unknown_host', `${what} "${pattern}"; mega host list shows all`);
}

const SEE = { label: 'mega host label gives one', fact: 'mega host show tells those of a host' };
const SHOWN = 8;

function requireValue(condition: Said, hosts: TargetHost[]): void {
  const { is, name, operator, value } = condition;
  const values = [...new Set(hosts.flatMap((host) => valuesOf(host, condition)))];
  if (values.length === 0) throw new InputError(`unknown_${is}`, `no host has a ${is} "${name}"; ${SEE[is]}`);
  const isOrder = operator !== '=' && operator !== '!=';
  if (isOrder || values.some((one) => matchesGlob(one, value))) return;
  const more = values.length > SHOWN ? ` and ${values.length - SHOWN} more` : '';
  const there = values.sort().slice(0, SHOWN).join(', ') + more;
  const called = is === 'label' ? name : `fact.${name}`;
  throw new InputError(`unknown_${is}`, `no host has ${called}=${value}; there are: ${there}`);
}
