import assert from 'node:assert/strict';
import { type Look, type Plan, planJob, type Step } from '../../src/dispatcher/jobs/plan.ts';
import { retryableEnds } from '../../src/dispatcher/jobs/retryable.ts';
import { ERROR_STATES, isOpen, type TaskState } from '../../src/dispatcher/tasks.ts';
import { boundOf, type Limits, waveSizes } from '../../src/lib/limits.ts';

/**
 * A job's rows as a model: what they say to the planner, and what its steps do to them. The promises are checked at each
 * step, by counting that is not the planner's.
 */
export type ModelTask = {
  id: string;
  host: number;
  wave: number;
  state: TaskState;
  /** As in the database: 2 is what was taken back while its order was just being sent. */
  ready: 0 | 1 | 2;
  leased: boolean;
  tries: number;
  retried: boolean;
  forgiven: boolean;
  phase: string | null;
  notBefore: number;
  deadline: number;
};
export const DEADLINE_MS = 60_000;
export const PATIENCE_MS = 600_000;

export class JobModel {
  now = 1_000_000;
  state: Look['state'] | 'ended' = 'running';
  tasks: ModelTask[];
  online: boolean[];
  wave = 1;
  frozen = false;
  /** The job's window is closed. */
  shut = false;
  approved = 1;
  deadlineAt: number;
  readonly waves: number[];
  readonly limits: Look['limits'];
  #waveEndedAt: number | null = null;
  #nextStartAt: number | null = null;
  #starts: number[] = [];
  /** What is over a bound is so by what was known when the planner looked. */
  #overAtLook = false;

  constructor(online: boolean[], limits: Partial<Limits>) {
    this.online = [...online];
    this.limits = { retryAfterMs: 1_000, ...limits, deadlineMs: DEADLINE_MS } as Look['limits'];
    this.waves = waveSizes(limits.waves, online.length);
    this.deadlineAt = this.now + DEADLINE_MS;
    const waveOf = this.waves.flatMap((size, i) => new Array<number>(size).fill(i + 1));
    this.tasks = online.map((_, host) => this.newTask(host, waveOf[host]!));
  }

  newTask(host: number, wave: number, tries = 1, notBefore = 0): ModelTask {
    const about = { id: `${host}.${tries}`, host, wave, tries, notBefore, phase: null };
    const fresh = { state: 'pending' as const, ready: 0 as const, leased: false };
    const deadline = Math.max(this.now, notBefore) + DEADLINE_MS;
    return { ...about, ...fresh, retried: false, forgiven: false, deadline };
  }

  /** Those that count. */
  get counting(): ModelTask[] {
    return this.tasks.filter((task) => !task.retried);
  }

  get underWay(): ModelTask[] {
    return this.counting.filter((task) => isOpen(task.state) && (task.state !== 'pending' || task.ready > 0));
  }

  get errors(): ModelTask[] {
    const are: readonly TaskState[] = ERROR_STATES;
    return this.counting.filter((task) => are.includes(task.state) && !task.forgiven);
  }

  /** A dispatcher looks, something happens meanwhile, and it does what it planned, or dies before its commit. */
  step({ meanwhile = () => {}, dies = false } = {}): Plan | undefined {
    if (this.state === 'ended') return undefined;
    const isStale = ({ ready, host }: ModelTask) => ready === 2 || !this.online[host] || this.shut;
    for (const task of this.#waiting(1, 2)) if (!task.leased && isStale(task)) task.ready = 0;
    const plan = planJob(this.#look());
    this.#overAtLook = this.#isOver();
    meanwhile();
    if (dies || this.state === ('ended' as string)) return undefined;
    for (const step of plan.steps) this.#perform(step);
    return plan;
  }

  #waiting(...ready: number[]): ModelTask[] {
    return this.counting.filter((task) => task.state === 'pending' && ready.includes(task.ready));
  }

  #look(): Look {
    const all = this.counting;
    const reachable = this.#waiting(0).filter((task) => task.wave <= this.wave && this.online[task.host]);
    const tries = reachable.map((task) => task.notBefore).filter((at) => at > this.now);
    const errors = Map.groupBy(this.errors, (task) => task.wave);
    const { retries = 0 } = this.limits;
    return {
      ...{ now: this.now, state: this.state as Look['state'], limits: this.limits },
      ...{ wave: this.wave, waves: this.waves, waveEndedAt: this.#waveEndedAt, approvedWave: this.approved },
      ...{ nextStartAt: this.#nextStartAt, deadlineAt: this.deadlineAt, patienceMs: PATIENCE_MS },
      frozen: this.frozen,
      window: this.shut ? { shut: true, opensAt: null } : null,
      inFlight: this.underWay.length,
      open: all.some((task) => isOpen(task.state)),
      waits: all.some((task) => task.state === 'pending' && task.wave === this.wave),
      succeeded: all.some((task) => task.state === 'succeeded' && task.wave === this.wave),
      errors: new Map([...errors].map(([wave, some]) => [wave, some.length])),
      mayStart: reachable
        .filter((task) => !task.leased && task.notBefore <= this.now && task.deadline > this.now)
        .map((task) => task.id),
      nextTryAt: tries.length === 0 ? null : Math.min(...tries),
      triable: all.filter((task) => task.tries <= retries && isRetryable(task)),
    };
  }

  #perform(step: Step): void {
    if (step.do === 'start') this.#start(step.tasks, step.nextStartAt);
    else if (step.do === 'pause') this.pause();
    else if (step.do === 'endWave') this.#waveEndedAt = this.now;
    else if (step.do === 'beginWave') this.#beginWave(step.wave);
    else if (step.do === 'tryAgain') this.#tryAgain(step.tasks);
    else if (step.do === 'expire') {
      this.#expire((task) => task.wave <= this.wave && task.deadline <= this.now);
      this.#lookForDeadlines();
    } else if (step.do === 'giveUp') this.#expire(() => true);
    else {
      assert.ok(!this.counting.some((task) => isOpen(task.state)), 'what has ended has nothing open');
      this.state = 'ended';
    }
  }

  #start(ids: readonly string[], nextStartAt: number | null): void {
    assert.equal(this.state, 'running', 'nothing starts in a job that is paused or cancelled');
    assert.ok(!this.frozen, 'nothing starts while all is frozen');
    assert.ok(!this.shut, 'nothing starts while its window is closed');
    assert.ok(!this.#overAtLook, 'nothing starts past the errors that are borne');
    for (const task of this.#waiting(0).filter((one) => ids.includes(one.id))) {
      assert.ok(task.wave <= this.wave, 'what starts is in a wave that has begun');
      task.ready = 1;
      this.#starts.push(this.now);
    }
    this.#nextStartAt = nextStartAt ?? this.#nextStartAt;
    const { maxConcurrency = Number.POSITIVE_INFINITY, rate } = this.limits;
    assert.ok(
      this.underWay.length <= maxConcurrency,
      `${this.underWay.length} of ${maxConcurrency} under way`,
    );
    if (rate !== undefined) this.#withinRate(rate);
  }

  #withinRate(rate: number): void {
    for (const [i, at] of this.#starts.entries()) {
      const most = Math.max(1, rate / 10) + (rate * (this.now - at)) / 1_000;
      const started = this.#starts.length - i;
      assert.ok(started <= most + 1e-6, `${started} starts in ${this.now - at} ms`);
    }
  }

  #isOver(): boolean {
    const { maxErrors } = this.limits;
    if (typeof maxErrors === 'number') return this.errors.length > maxErrors;
    if (maxErrors === undefined) return false;
    const byWave = Map.groupBy(this.errors, (task) => task.wave);
    return [...byWave].some(([wave, some]) => some.length > boundOf(maxErrors, this.waves[wave - 1]!));
  }

  #beginWave(wave: number): void {
    assert.equal(wave, this.wave + 1, 'waves begin one after the other, each once');
    const before = this.counting.filter((task) => task.wave <= this.wave);
    const done = before.filter((task) => task.wave === this.wave);
    assert.ok(
      done.some((task) => task.state === 'succeeded') || done.every((task) => !isOpen(task.state)),
      'the wave before has proved something, or has nothing left',
    );
    const left = before.filter((task) => task.state === 'pending' && this.online[task.host]);
    assert.ok(
      !left.some((task) => task.deadline > this.now),
      'no host that is there still has it before itself',
    );
    if (this.limits.pauseBetween === 'approve') assert.ok(this.approved >= wave, 'somebody approved it');
    this.wave = wave;
    this.#waveEndedAt = null;
    for (const task of this.#waiting(0).filter((one) => one.wave === wave))
      task.deadline = this.now + DEADLINE_MS;
    this.#lookForDeadlines();
  }

  #tryAgain(tasks: { id: string; pauseMs: number }[]): void {
    for (const { id, pauseMs } of tasks) this.again(this.tasks.find((task) => task.id === id)!, pauseMs);
    this.#lookForDeadlines();
  }

  again(task: ModelTask, pauseMs: number): void {
    if (task.retried) return;
    task.retried = true;
    this.tasks.push(this.newTask(task.host, task.wave, task.tries + 1, this.now + pauseMs));
  }

  pause(): void {
    this.state = 'paused';
    this.deadlineAt = this.now + PATIENCE_MS;
    for (const task of this.#waiting(1)) task.ready = task.leased ? 2 : 0;
  }

  #expire(which: (task: ModelTask) => boolean): void {
    for (const task of this.#waiting(0, 1, 2)) if (!task.leased && which(task)) task.state = 'expired';
  }

  #lookForDeadlines(): void {
    const waiting = this.#waiting(0, 1, 2).filter((task) => task.wave <= this.wave);
    const first = Math.min(...waiting.map((task) => task.deadline));
    this.deadlineAt = waiting.length === 0 ? this.now + 60_000 : Math.max(first, this.now + 1_000);
  }
}

function isRetryable({ state, phase }: ModelTask): boolean {
  const ends = retryableEnds('client_upgrade');
  const isIn = (phases: readonly string[] | undefined) => !phases || phases.includes(phase ?? '');
  return ends.some((end) => end.state === state && isIn(end.phases));
}
