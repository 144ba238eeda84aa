import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import { until } from '../../dev/world/until.ts';
import type { JobWithCounts, Task, WaveCounts } from '../../src/cli/answers.ts';
import type { Snapshot } from '../../src/cli/job/follow.ts';
import { quoted } from '../../src/cli/text.ts';
import type { Output } from '../../src/cli/world.ts';
import type { Call } from '../../src/lib/sender.ts';

/** Jobs, tasks and a terminal that were made up, to look at what a watcher is shown. */
export const JOB = '0198c0de-0000-7000-8000-000000000001';
export const AT = Date.parse('2026-01-02T03:04:05Z');
const iso = (ms: number) => new Date(ms).toISOString();

type Said = [state: string, phase: string | null, reason?: string];

/** Each thing said a second after the one before it, from AT on; the host's clock is a day behind. */
export function task(host: string, state: string, said: Said[] = [], more: Partial<Task> = {}): Task {
  const events = said.map(([state, phase, reason = null], i) => {
    const at = AT + i * 1000;
    return { seq: i + 1, state, phase, reason, agentMs: at - 86_400_000, recordedAt: iso(at) };
  });
  const { phase = null, reason = null } = events.at(-1) ?? {};
  const times = { createdAt: iso(AT), queuedAt: null, acceptedAt: null, startedAt: null, heardAt: null };
  return {
    ...{
      id: `${host}-1`,
      job: JOB,
      host,
      type: 'client_upgrade',
      args: {},
      state,
      phase,
      reason,
      attempts: 1,
    },
    ...{ late: false, fromVersion: null, running: null, output: null, ...times, finishedAt: null, events },
    ...more,
  };
}

export function job(counts: Record<string, number>, more: Partial<JobWithCounts> = {}): JobWithCounts {
  const about = { id: JOB, type: 'client_upgrade', args: { to: '1.1.0' }, target: 'all', state: 'running' };
  return { ...about, createdAt: iso(AT), createdBy: 'op_a', finishedAt: null, counts, ...more };
}

export const seenOf = (job: JobWithCounts, more: Partial<Snapshot> = {}): Snapshot => ({
  ...{ job, tasks: [], failed: [], slowest: [] },
  ...more,
});

const LIMITS = { waves: [1, '10%' as const], maxErrors: '1%' as const, retryAfterMs: 60_000 };

/** Ten thousand hosts, of which some failed in the second of three waves, so that it was paused. */
export function largeJob(more: Partial<JobWithCounts> = {}): JobWithCounts {
  const second = { succeeded: 589, failed: 6, timed_out: 1, lost: 3, running: 180, queued: 20, pending: 200 };
  const waves: WaveCounts[] = [
    { wave: 1, hosts: 1, counts: { succeeded: 1 } },
    { wave: 2, hosts: 999, counts: second },
    { wave: 3, hosts: 9000, counts: { pending: 9000 } },
  ];
  const errors = { errors: 10, errorKinds: { failed: 2, rolled_back: 4, lost: 3, timed_out: 1 } };
  const counts = { ...second, succeeded: 590, pending: 9200 };
  return job(counts, { limits: LIMITS, waves, ...errors, waitingFor: null, pausedReason: null, ...more });
}

export const paused = {
  state: 'paused',
  pausedReason:
    '10 errors in wave 2, more than the 9 (1% of 999) that are borne: 4 rolled back, 3 lost, 2 failed',
};

export class Terminal implements Output {
  isTTY = true;
  columns = 80;
  rows = 24;
  written: string[] = [];
  colors = false;
  #onResize = new Set<() => void>();

  write(text: string): void {
    this.written.push(text);
  }

  hasColors(): boolean {
    return this.colors;
  }

  on(_event: 'resize', listener: () => void): void {
    this.#onResize.add(listener);
  }

  off(_event: 'resize', listener: () => void): void {
    this.#onResize.delete(listener);
  }

  resize(columns: number, rows: number): void {
    Object.assign(this, { columns, rows });
    for (const listener of this.#onResize) listener();
  }

  /** What was written last, as it stands there: without what moves the cursor. */
  get picture(): string[] {
    const text = this.written.at(-1) ?? '';
    return stripVTControlCharacters(text).replaceAll('\r', '').split('\n').slice(0, -1);
  }
}

export type Asked = { fn: string; args: Record<string, unknown> };

/** A dispatcher that answers each call by its name, the last of its answers again and again. */
export function answering(answers: Record<string, unknown[]>): { call: Call; asked: Asked[] } {
  const asked: Asked[] = [];
  const call = async (fn: string, args: object = {}) => {
    asked.push({ fn, args: args as Asked['args'] });
    const left = answers[fn] ?? [];
    return left.length > 1 ? left.shift() : left[0];
  };
  return { call: call as Call, asked };
}

/** A program on a pseudo terminal, as a person has it: util-linux's `script` makes one. */
export class Screen implements AsyncDisposable {
  text = '';
  #child: ChildProcessWithoutNullStreams;
  #ended: Promise<number>;

  constructor(words: string[], env: Record<string, string>) {
    const command = `tty; stty cols 80 rows 24; exec ${words.map(quoted).join(' ')}`;
    this.#child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, ...env } });
    this.#child.stdout.on('data', (bytes) => {
      this.text += bytes;
    });
    this.#ended = once(this.#child, 'close').then(([code]) => code as number);
  }

  /** Types what a person would: `\x03` is Ctrl-C. */
  types(text: string): void {
    this.#child.stdin.write(text);
  }

  /** As the terminal's window is drawn to another size. */
  resize(columns: number, rows: number): void {
    const [device] = /\/dev\/\S+/.exec(this.text)!;
    execFileSync('stty', ['-F', device, 'cols', String(columns), 'rows', String(rows)]);
  }

  shows(what: RegExp): Promise<unknown> {
    return until(`the screen to show ${what}: ${this.text}`, () => what.test(this.text), {
      deadlineMs: 30_000,
    });
  }

  get exitCode(): Promise<number> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
