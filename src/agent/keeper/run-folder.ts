import { existsSync, linkSync, mkdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, removeDurably, syncFolder, writeDurably } from '../../lib/files.ts';
import type { ProcessId } from './process-id.ts';

/** What a keeper is to do, written by the agent. */
export type Plan = {
  task: string;
  /** The program and its arguments, its limits included. */
  command: string[];
  env: Record<string, string>;
  /** The folder in which the script works, and which goes with it. */
  work: string;
  /** As whom, where that is not the agent's own user. */
  user: { uid: number; gid: number } | undefined;
  timeoutMs: number;
  graceMs: number;
  headBytes: number;
  segmentBytes: number;
};

/** How a script ended, written by its keeper. */
export type End = {
  code: number | null;
  signal: string | null;
  /** Why it was ended: at its limit, or because the keeper was asked to. */
  stopped: 'limit' | 'asked' | null;
  /** Processes of its group went on when it had ended, and were ended. */
  leftovers: boolean;
  /** How much it wrote, and for how much of that the disk had no room. */
  bytes: number;
  lostBytes: number;
  /** Why it could not be started. */
  error: string | null;
};

/**
 * The folder of one run of a script, which agent and keeper share and nobody else reads. Its files are the whole memory of
 * that run, so that any later agent finds out how it stands:
 *
 *     plan.json → keeper.json → end.json, and beside them the output
 *
 * `keeper.json` is made once, by whoever comes first: by the keeper before it starts the script, or by an agent that will
 * wait no longer for a keeper to come. So a script is started once, or never.
 */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** What a process before us has begun and not noted is begun anew. */
  prepare(plan: Plan, stdin: string | undefined): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    if (stdin !== undefined) writeDurably(this.at('stdin'), stdin);
    this.#write('plan.json', plan);
  }

  get hasStdin(): boolean {
    return existsSync(this.at('stdin'));
  }

  get plan(): Plan {
    return this.#read<Plan>('plan.json')!;
  }

  /** The process that keeps the script; null when nobody ever will. */
  get keeper(): ProcessId | null | undefined {
    return this.#read<{ keeper: ProcessId | null }>('keeper.json')?.keeper;
  }

  /** True for whoever comes first. */
  claim(keeper: ProcessId | null): boolean {
    const mine = `claim.${process.pid}`;
    this.#write(mine, { keeper });
    try {
      linkSync(this.at(mine), this.at('keeper.json'));
      syncFolder(this.path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return false;
    } finally {
      unlinkSync(this.at(mine));
    }
  }

  get end(): End | undefined {
    return this.#read<End>('end.json');
  }

  finish(end: End): void {
    this.#write('end.json', end);
  }

  /** What the order gave to be read may be a secret. */
  forgetStdin(): void {
    removeDurably(this.at('stdin'));
  }

  #write(name: string, content: object): void {
    writeDurably(this.at(name), JSON.stringify(content));
  }

  #read<T>(name: string): T | undefined {
    const text = readIfThere(this.at(name));
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }
}
