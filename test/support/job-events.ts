import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ERROR_STATES, isOpen } from '../../src/dispatcher/tasks.ts';
import type { Limits } from '../../src/lib/limits.ts';
import { DEADLINE_MS, JobModel, type ModelTask } from './job-model.ts';

/** All that may happen around a job, in any order. `which` chooses among those to whom it may happen. */
export const EVENTS = [
  ...([
    'look',
    'look',
    'look',
    'lookMeanwhile',
    'dieLooking',
    'claim',
    'claim',
    'confirm',
    'confirm',
  ] as const),
  ...(['good', 'good', 'good', 'bad', 'back', 'postponed', 'lost', 'late', 'unread', 'leaseEnds'] as const),
  ...([
    'away',
    'there',
    'removed',
    'time',
    'longTime',
    'pause',
    'resume',
    'approve',
    'retry',
    'freeze',
  ] as const),
  ...(['unfreeze', 'cancel', 'close', 'open'] as const),
];
export type Happening = { event: (typeof EVENTS)[number]; which: number };

export const happenings = (most: number) =>
  fc.array(fc.record({ event: fc.constantFrom(...EVENTS), which: fc.nat(30) }), {
    maxLength: most,
    size: 'max',
  });

const percent = (least: number) => fc.integer({ min: least, max: 100 }).map((n) => `${n}%` as const);
const size = fc.oneof(fc.integer({ min: 1, max: 12 }), percent(1));
export const someLimits: fc.Arbitrary<Partial<Limits>> = fc.record(
  {
    waves: fc.array(size, { minLength: 1, maxLength: 4 }),
    maxConcurrency: fc.integer({ min: 1, max: 6 }),
    maxErrors: fc.oneof(fc.nat(4), percent(0)),
    pauseBetween: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.constant('approve' as const)),
    rate: fc.constantFrom(0.5, 3, 40),
    retries: fc.nat(2),
  },
  { requiredKeys: [] },
);

/** Makes one thing happen. A host runs a task once at most, and two tasks of a job never beside each other. */
export class JobEvents extends JobModel {
  /** How often each task began on its host. */
  begun = new Map<string, number>();

  happen({ event, which }: Happening): void {
    const pick = (some: ModelTask[]) => some[which % Math.max(1, some.length)];
    const inState = (...states: string[]) =>
      pick(this.counting.filter((task) => states.includes(task.state)));
    const end = (task: ModelTask | undefined, state: ModelTask['state'], phase: string | null = null) =>
      task && Object.assign(task, { state, phase, leased: false });
    const does: Record<(typeof EVENTS)[number], () => unknown> = {
      look: () => this.step(),
      lookMeanwhile: () =>
        this.step({ meanwhile: () => this.happen({ event: MEANWHILE[which % 4]!, which }) }),
      dieLooking: () => this.step({ dies: true }),
      claim: () => this.#claim(pick(this.counting.filter((task) => this.#mayBeSent(task)))),
      confirm: () =>
        this.#begin(pick(this.counting.filter((task) => task.leased || task.state === 'queued'))),
      good: () => end(inState('running', 'cancelling'), 'succeeded', 'completed'),
      bad: () => end(inState('running'), 'failed', 'watching'),
      back: () => end(inState('running'), 'failed', 'rolled_back'),
      postponed: () => end(inState('running'), 'rejected', 'postponed'),
      lost: () => end(inState('running', 'cancelling'), 'lost'),
      late: () => end(inState('lost', 'expired'), 'succeeded', 'completed'),
      unread: () => this.#unread(pick(this.counting.filter((task) => task.state === 'queued'))),
      leaseEnds: () => this.#leaseEnds(pick(this.counting.filter((task) => task.leased))),
      away: () => this.online.splice(which % this.online.length, 1, false),
      there: () => this.online.splice(which % this.online.length, 1, true),
      removed: () => this.#remove(which % this.online.length),
      time: () => this.#pass(1 + which * 100),
      longTime: () => this.#pass(DEADLINE_MS / 3),
      pause: () => this.state === 'running' && this.pause(),
      resume: () => this.state === 'paused' && this.#resume(),
      approve: () => this.#approve(),
      retry: () => this.#retry(),
      freeze: () => this.#freeze(true),
      unfreeze: () => this.#freeze(false),
      close: () => this.#shut(true),
      open: () => this.#shut(false),
      cancel: () => this.state !== 'ended' && which === 0 && this.#cancel(),
    };
    does[event]();
  }

  #pass(ms: number): void {
    this.now += ms;
  }

  #freeze(frozen: boolean): void {
    this.frozen = frozen;
  }

  #shut(shut: boolean): void {
    this.shut = shut;
  }

  #approve(): void {
    if (this.wave < this.waves.length) this.approved = Math.max(this.approved, this.wave + 1);
  }

  /** What the publisher claims. */
  #mayBeSent({ state, ready, leased, host }: ModelTask): boolean {
    return state === 'pending' && ready === 1 && !leased && this.online[host]! && !this.frozen;
  }

  #claim(task: ModelTask | undefined): void {
    if (!task) return;
    const beside = this.counting.filter((one) => one !== task && one.host === task.host && isOpen(one.state));
    assert.equal(beside.length, 0, 'a host has one task of a job at a time');
    task.leased = true;
  }

  #begin(task: ModelTask | undefined): void {
    if (!task) return;
    task.leased = false;
    if (task.state === 'pending' && this.now % 3 === 0) task.state = 'queued';
    else if (isOpen(task.state)) {
      if (task.state !== 'cancelling') task.state = 'running';
      this.begun.set(task.id, (this.begun.get(task.id) ?? 0) + 1);
      assert.equal(this.begun.get(task.id), 1, 'a task begins once');
    }
  }

  #unread(task: ModelTask | undefined): void {
    if (task) Object.assign(task, { state: 'pending', ready: 0, leased: false });
  }

  #leaseEnds(task: ModelTask | undefined): void {
    if (task) task.leased = false;
    if (task?.state === 'cancelling' && !this.begun.has(task.id)) task.state = 'cancelled';
  }

  #remove(host: number): void {
    this.online[host] = false;
    for (const task of this.counting.filter((one) => one.host === host && isOpen(one.state))) {
      Object.assign(task, { state: this.begun.has(task.id) ? 'lost' : 'cancelled', leased: false });
    }
  }

  #resume(): void {
    const failed: readonly string[] = ERROR_STATES;
    for (const task of this.counting) if (failed.includes(task.state)) task.forgiven = true;
    for (const task of this.counting.filter((one) => one.wave <= this.wave))
      task.deadline = Math.max(task.deadline, this.now + DEADLINE_MS);
    this.state = 'running';
    this.deadlineAt = this.now + DEADLINE_MS;
  }

  #retry(): void {
    if (this.state === 'cancelling') return;
    const failed: readonly string[] = ERROR_STATES;
    const tasks = this.counting.filter((task) => failed.includes(task.state));
    for (const task of tasks) this.again(task, 0);
    if (tasks.length === 0 || this.state === 'paused') return;
    this.state = 'running';
    this.deadlineAt = this.now + DEADLINE_MS;
  }

  #cancel(): void {
    this.state = 'cancelling';
    for (const task of this.counting.filter((one) => isOpen(one.state)))
      task.state = task.state === 'pending' && !task.leased ? 'cancelled' : 'cancelling';
  }

  /** From here on nobody does anything but wait, and every wait that is not the job's own has its usual end. */
  runOut(): void {
    for (let i = 0; this.state !== 'ended'; i++) {
      assert.ok(i < 5_000, `it has no end: ${this.state}, wave ${this.wave} of ${this.waves.length}`);
      this.step();
      for (const task of this.counting.filter((one) => this.#mayBeSent(one))) this.#claim(task);
      for (const task of this.counting.filter((one) => one.leased)) this.#leaseEnds(task);
      for (const task of this.counting.filter((one) => one.state === 'queued')) this.#unread(task);
      for (const task of this.counting.filter((one) => one.state === 'running' || one.state === 'cancelling'))
        Object.assign(task, { state: 'lost', leased: false });
      this.now += 1_000 * (1 + (i % 60));
    }
  }
}

const MEANWHILE = ['good', 'bad', 'unread', 'away'] as const;
