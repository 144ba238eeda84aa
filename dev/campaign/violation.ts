export const RULES = [
  'one end',
  'all words',
  'job',
  'once',
  'version',
  'left over',
  'skip list',
  'queue',
  'fall',
] as const;

/** A promise that was not kept: by whom, in which task, and what shows it. */
export type Violation = {
  rule: (typeof RULES)[number];
  host: string;
  task: string;
  evidence: string;
};

/** One line. */
export function describeViolation({ rule, host, task, evidence }: Violation): string {
  return [`[${rule}]`, host, task, evidence].filter(Boolean).join(' ').replaceAll('\n', ' | ');
}
