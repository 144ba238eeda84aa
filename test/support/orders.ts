import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AgentProcess } from '../../dev/world/agent.ts';
import type { World } from '../../dev/world/world.ts';
import { upgrade } from './world.ts';

export type Outcome = { code: number; out: string; err: string };

/** How the command line ended, and all that it wrote. */
export async function outcomeOf(world: World, ...args: string[]): Promise<Outcome> {
  const program = join(import.meta.dirname, '../../bin/mega');
  const settings = { MEGA_CONFIG: world.operatorConfig, MEGA_PASSPHRASE_FILE: world.passphraseFile };
  const env = { ...process.env, ...settings };
  return promisify(execFile)(program, args, { env }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }) => ({ code, out: stdout, err: stderr }),
  );
}

/** How the command line ended, as a script sees it. */
export async function exitOf(world: World, ...args: string[]): Promise<{ code: number; err: string }> {
  const { code, err } = await outcomeOf(world, ...args);
  return { code, err };
}

/**
 * An upgrade whose order says something that is not so. Its host must be away: the order is changed before it is
 * sent.
 */
export async function falseOrder(world: World, to: string, host: string, lie: object): Promise<string> {
  const job = await upgrade(world, to, [host]);
  const statement = 'UPDATE tasks SET args = JSON_MERGE_PATCH(args, ?) WHERE job_id = ?';
  await world.database().run(statement, [JSON.stringify(lie), job]);
  return job;
}

/** A check of the host's owner, run before each upgrade. */
export function addCheck(agent: AgentProcess, name: string, script: string, mode = 0o755): void {
  mkdirSync(agent.home.preflight, { recursive: true });
  const file = join(agent.home.preflight, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, mode);
}

/** Changes a JSON file of a home or a world; what it was before. */
export function rewrite(file: string, change: (before: Record<string, unknown>) => object): string {
  const before = readFileSync(file, 'utf8');
  const content = JSON.parse(before) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...content, ...change(content) }));
  return before;
}
