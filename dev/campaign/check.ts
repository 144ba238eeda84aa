import { checkEffects } from './check/effects.ts';
import { checkDisk, checkFalls, checkQueues, checkVersions } from './check/ground.ts';
import { checkEnds, checkJobs, checkWords } from './check/tasks.ts';
import type { Evidence } from './evidence.ts';
import type { Violation } from './violation.ts';

export type { Violation } from './violation.ts';

/**
 * What must hold after a campaign, whatever happened in it: pure, and written from what the documents promise
 * rather than from how the product keeps it. A rule that two parties' records must agree looks at both records.
 */
export function check(evidence: Evidence): Violation[] {
  const rules = [
    checkEnds,
    checkWords,
    checkJobs,
    checkEffects,
    checkVersions,
    checkDisk,
    checkQueues,
    checkFalls,
  ];
  return rules.flatMap((rule) => rule(evidence));
}
