import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Evidence } from './evidence.ts';
import type { Stage } from './stage.ts';
import type { Violation } from './violation.ts';

/** What is big and can be built again, and what is secret. */
const LEFT_OUT = ['releases', 'runtimes', 'dist', 'tmp', 'identity.json', 'dispatcher.json', 'operator.json'];

/** Puts the logs, the journals and what the checker has read beside the stage, which is about to go; where. */
export function keepEvidence(
  stage: Stage,
  seed: number,
  evidence: Evidence | undefined,
  found: Violation[],
): string {
  const from = stage.world.folder;
  const to = join(dirname(from), `kept-${seed}-${stage.world.name}`);
  mkdirSync(to, { recursive: true });
  const wanted = (path: string) => !LEFT_OUT.includes(basename(path)) && !path.endsWith('.url');
  cpSync(from, to, { recursive: true, verbatimSymlinks: true, filter: wanted });
  for (const name of readdirSync(dirname(from)).filter((one) => /^(rabbitmq|mariadb)-/.test(one))) {
    if (name.split('-')[1] !== String(process.pid)) continue;
    const log = join(dirname(from), name, 'server.log');
    cpSync(log, join(to, `${name.split('-')[0]}.log`));
  }
  const plain = (_: string, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value);
  writeFileSync(join(to, 'evidence.json'), JSON.stringify({ seed, found, evidence }, plain, 1));
  return to;
}
