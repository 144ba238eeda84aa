import { InputError } from '../../lib/errors.ts';
import { LABEL_NAME } from '../../lib/labels.ts';
import { VERSION } from '../../lib/utils.ts';
import { isGlob } from './glob.ts';

/**
 * The grammar of targets: a term is one condition, or several with commas between them, all of which must hold.
 *
 *     all   db-01   db-*   role=replica   role!=*   version<1.4   status=held   fact.os=debian   role=replica,version<1.4
 *
 * `!` or `not` before it takes away what it means. In names and values `*` is any number of characters and `?` is one,
 * which may also stand for a comma.
 */
export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=';
export const STATUSES = ['online', 'away', 'held', 'cut_off'] as const;
export type Status = (typeof STATUSES)[number];

export type Condition =
  | { is: 'all' }
  | { is: 'name'; pattern: string }
  | { is: 'label' | 'fact'; name: string; operator: Operator; value: string }
  | { is: 'version'; operator: Operator; value: string }
  | { is: 'status'; operator: '=' | '!='; value: Status };
export type Term = { text: string; takesAway: boolean; conditions: Condition[] };

const POSSIBLE =
  'a target is all, a name, a pattern such as db-*, or conditions such as role=replica, version<1.4, status=online, ' +
  'fact.os=debian, with commas between those that must all hold; ! before it takes away';
const NAME_PATTERN = /^[a-z0-9*?-]+$/;
const COMPARISON = /^([^=<>!]*)(!=|<=|>=|=|<|>)(.*)$/s;
const SHORT_VERSION = /^\d{1,6}(\.\d{1,6})?$/;
const FACT = 'fact.';

/** Error: `bad_target`, which names the term and says what is possible. */
export function parseTerm(said: string): Term {
  const text = said.trim();
  const [, mark = ''] = /^(!|not\s)/.exec(text) ?? [];
  const parts = text.slice(mark.length).split(',');
  const conditions = parts.map((part) => parseCondition(part.trim(), text));
  const names = conditions.filter((one) => one.is === 'name' && !isGlob(one.pattern));
  if (names.length > 1)
    throw bad(text, 'no host bears two names at once; give each a target of its own (--on a --on b)');
  return { text, takesAway: mark !== '', conditions };
}

function parseCondition(text: string, term: string): Condition {
  if (text === '') throw bad(term, `something is missing; ${POSSIBLE}`);
  if (/^(!|not\s)/.test(text)) throw bad(term, '! stands once, before the whole of it; within it != negates');
  if (text === 'all') return { is: 'all' };
  const [, left, operator, right] = COMPARISON.exec(text) ?? [];
  if (left === undefined || right === undefined) return nameOf(text, term);
  const [name, value] = [left.trim(), right.trim()];
  if (name === '' || value === '') throw bad(term, `"${text}" lacks a name or a value; ${POSSIBLE}`);
  return compare(name, operator as Operator, value, term);
}

function nameOf(pattern: string, term: string): Condition {
  if (NAME_PATTERN.test(pattern)) return { is: 'name', pattern };
  throw bad(term, `no host is called "${pattern}", since names are made of a-z, 0-9 and -; ${POSSIBLE}`);
}

function compare(name: string, operator: Operator, value: string, term: string): Condition {
  if (name === 'version') return { is: 'version', operator, value: versionIn(value, operator, term) };
  const isFact = name.startsWith(FACT);
  const orders = operator !== '=' && operator !== '!=';
  if (orders && !isFact)
    throw bad(term, `${name} is compared with = and != alone; < and > are for version and facts`);
  if (name === 'status') return statusOf(operator as '=' | '!=', value, term);
  if (!isFact) {
    if (LABEL_NAME.test(name)) return { is: 'label', name, operator, value };
    throw bad(term, `no label is called "${name}"; ${POSSIBLE}`);
  }
  if (orders && !Number.isFinite(Number(value)))
    throw bad(term, `"${value}" is no number, and facts are ordered by numbers alone`);
  const fact = name.slice(FACT.length);
  if (fact === '') throw bad(term, `fact. lacks a name; ${POSSIBLE}`);
  return { is: 'fact', name: fact, operator, value };
}

/** `1.4.*` and `1.4` are the same: each version that begins so. */
function versionIn(value: string, operator: Operator, term: string): string {
  const isEqual = operator === '=' || operator === '!=';
  const version = isEqual ? value.replace(/(\.\*)+$/, '') : value;
  if (VERSION.test(version) || SHORT_VERSION.test(version)) return version;
  throw bad(term, `"${value}" is no version such as 1.4.0, or 1.4 for all that begin so`);
}

function statusOf(operator: '=' | '!=', value: string, term: string): Condition {
  const status = STATUSES.find((one) => one === value);
  if (status) return { is: 'status', operator, value: status };
  throw bad(term, `no status is called "${value}"; there are ${STATUSES.join(', ')}`);
}

export const bad = (term: string, why: string) =>
  new InputError('bad_target', `the target "${term}" is not understood: ${why}`);
