import { describe, type MegaError } from '../../lib/errors.ts';
import { versionAt } from '../../lib/home.ts';
import type { Phase, UpgradeArgs } from '../../lib/messages.ts';
import { requireRelease } from '../../lib/release.ts';
import { sleep } from '../../lib/utils.ts';
import { faultPoint } from '../fault.ts';
import { clearDownloads, download, verify, type Wanted } from '../upgrade/download.ts';
import { argsOf, type Facts, factsOf } from '../upgrade/facts.ts';
import { judge } from '../upgrade/judge.ts';
import { nextStep } from '../upgrade/plan.ts';
import { skippedOf } from '../upgrade/preflight.ts';
import { requireReady } from '../upgrade/ready.ts';
import { refusalOf } from '../upgrade/refusal.ts';
import { missingRuntime } from '../upgrade/runtime.ts';
import { scriptsEnded } from '../upgrade/scripts.ts';
import { discard, type Files, stage, switchOver, tidy } from '../upgrade/stage.ts';
import { closeTrial, forgetFailedTrial, readFailedTrial, readTrial } from '../upgrade/trial.ts';
import { type Probes, proveOurselves } from '../upgrade/watch.ts';
import type { End, Run, TaskType } from './task.ts';

const TRY_AGAIN_MS = 1_000;

/**
 * Moves this host to another release. Each phase is written into the journal before it acts, and may be run again;
 * `nextStep` says where a new process goes on. The order of the phases:
 *
 *     preflight → downloading → verifying → staging → switching → restarting      in the old process
 *     watching → completed                                                        in the new one
 *     rolling_back → rolled_back | waiting_for_broker → switching ...             in the previous one
 */
export function clientUpgrade(probes: Probes): TaskType {
  return {
    name: 'client_upgrade',
    lane: 'exclusive',
    onCrash: 'resume',
    run: (run) => new Upgrade(run, probes).step(),
  };
}

class Upgrade {
  #run: Run;
  #probes: Probes;
  #task: string;
  #args: UpgradeArgs;
  #phase: Phase | null;

  constructor(run: Run, probes: Probes) {
    this.#run = run;
    this.#probes = probes;
    this.#task = run.entry.order.task;
    this.#args = argsOf(run.entry);
    this.#phase = run.entry.phase;
  }

  async step(): Promise<End> {
    const { home, version: me } = this.#run.room;
    const about = { task: this.#task, phase: this.#phase, me, to: this.#args.to, facts: this.#facts };
    const step = nextStep({ ...about, trial: readTrial(home), failed: readFailedTrial(home) });
    if (step.do === 'prepare') return this.#prepare();
    if (step.do === 'switch') return this.#switch();
    if (step.do === 'watch') return this.#watch();
    if (step.do === 'complete') return this.#complete();
    return this.#judge(step.verdict);
  }

  async #prepare(): Promise<End> {
    const { room, signal } = this.#run;
    try {
      await this.#in('preflight', () => this.#preflight());
      const runtime = missingRuntime(room.home, this.#args);
      clearDownloads(room.home, [this.#args.sha256, ...(runtime ? [runtime.sha256] : [])]);
      const fetched = await this.#in('downloading', () => this.#fetch(runtime));
      await this.#in('verifying', () => this.#verify(fetched, runtime));
      await this.#in('staging', () => stage(room.home, fetched, this.#args, signal));
      signal.throwIfAborted();
    } catch (error) {
      if (signal.aborted && (signal.reason as MegaError).code === 'stopping') throw error;
      return this.#giveUp(error);
    }
    return this.#switch();
  }

  #preflight(): Promise<void> {
    const { room, signal } = this.#run;
    const wait = () => scriptsEnded(room, (reason) => this.#say('preflight', reason), signal);
    return requireReady(room, this.#args, signal, wait);
  }

  async #fetch(runtime: Wanted | undefined): Promise<Files> {
    const { room, signal } = this.#run;
    const release = await download(room, this.#args, signal);
    return { release, runtime: runtime && (await download(room, runtime, signal)) };
  }

  async #verify(files: Files, runtime: Wanted | undefined): Promise<void> {
    await verify(files.release, this.#args);
    if (files.runtime && runtime) await verify(files.runtime, runtime);
  }

  /** From here on there is no cancelling: the loader and the trial have the word. */
  async #switch(): Promise<End> {
    const { room } = this.#run;
    try {
      await this.#in('switching', async () => this.#swap());
    } catch (error) {
      if (versionAt(room.home.current) !== this.#args.to) return this.#notSwitched(error);
      room.logger.error({ error: describe(error) }, 'switched, but not in order');
    }
    try {
      await this.#in('restarting', async () => undefined);
    } catch (error) {
      // Nothing may keep us now: the trial's clock runs.
      room.logger.error({ error: describe(error) }, 'the restart cannot be written down');
    }
    room.restart();
    return 'restarting';
  }

  #swap(): void {
    const { room } = this.#run;
    requireRelease(room.home, this.#args.to);
    forgetFailedTrial(room.home); // before its evidence goes from the journal, too
    const afresh = { verdict: undefined, proof: undefined, unreachable: '' };
    room.journal.remember(this.#task, { ...afresh, holds: this.#facts.holds + 1 });
    switchOver(room.home, this.#task, room.version, this.#args);
  }

  /** A trial that is open without a swap would cost this process its life. */
  #notSwitched(error: unknown): End {
    closeTrial(this.#run.room.home);
    return this.#giveUp(error);
  }

  /** On trial nothing but the loader's clock ends the trying: to fail here would leave a trial without its task. */
  async #watch(): Promise<End> {
    const { room, signal } = this.#run;
    const stopping = endless(signal);
    for (;;) {
      try {
        const prove = () => proveOurselves(room, this.#probes, this.#task, stopping);
        const proof = await this.#in('watching', prove);
        room.journal.remember(this.#task, { proof });
        return await this.#complete();
      } catch (error) {
        stopping.throwIfAborted();
        room.logger.error({ error: describe(error) }, 'on trial, and something stands in the way');
        await sleep(TRY_AGAIN_MS, stopping);
      }
    }
  }

  async #complete(): Promise<End> {
    const { home, version, logger } = this.#run.room;
    faultPoint(home, 'completed:entry');
    closeTrial(home);
    try {
      tidy(home, version);
      clearDownloads(home, []);
    } catch (error) {
      // The new release is kept, whatever the disk says now; the next upgrade tidies up.
      logger.warn({ error: describe(error) }, 'what the upgrade no longer needs was not removed');
    }
    const { proof } = this.#facts;
    faultPoint(home, 'completed:exit');
    return { state: 'succeeded', phase: 'completed', ...(proof ? { proof } : {}) };
  }

  async #judge(verdict: string): Promise<End> {
    const { room, signal } = this.#run;
    const { to, trial } = this.#args;
    const judged = skippedOf(room, this.#args);
    if (judged !== undefined) return this.#goneBack(judged);
    room.journal.remember(this.#task, { verdict });
    if (room.version === to) {
      return {
        state: 'failed',
        phase: 'rollback_failed',
        reason: `${to} ${verdict}, and there was no release to go back to`,
      };
    }
    const waiting = () =>
      this.#say('waiting_for_broker', `no verdict on ${to} yet: no dispatcher can be reached`);
    const facts = this.#facts;
    const found = await this.#in('rolling_back', () =>
      judge(room, { verdict, facts, to, trial }, waiting, endless(signal)),
    );
    if (!found.guilty) return this.#switch();
    room.journal.skip(to, found.reason);
    return this.#goneBack(found.reason);
  }

  #goneBack(reason: string): End {
    const { home } = this.#run.room;
    forgetFailedTrial(home);
    discard(home, this.#args.to);
    clearDownloads(home, []);
    return { state: 'failed', phase: 'rolled_back', reason };
  }

  #giveUp(error: unknown): End {
    const { room, signal } = this.#run;
    discard(room.home, this.#args.to);
    clearDownloads(room.home, []);
    if (signal.aborted) throw error;
    return refusalOf(error) ?? { state: 'failed', reason: describe(error) };
  }

  /** Writes the phase down, then acts. */
  async #in<T>(phase: Phase, act: () => Promise<T>): Promise<T> {
    this.#say(phase);
    faultPoint(this.#run.room.home, `${phase}:entry`);
    const value = await act();
    faultPoint(this.#run.room.home, `${phase}:exit`);
    return value;
  }

  #say(phase: Phase, reason?: string): void {
    this.#phase = phase;
    this.#run.room.journal.say(this.#task, { state: 'running', phase, ...(reason ? { reason } : {}) });
  }

  get #facts(): Facts {
    return factsOf(this.#run.room.journal.entry(this.#task) ?? this.#run.entry);
  }
}

/** Watching and judging end by themselves; a limit or a cancel must not leave a trial without its verdict. */
function endless(signal: AbortSignal): AbortSignal {
  const stopping = new AbortController();
  const look = () => {
    if ((signal.reason as MegaError).code === 'stopping') stopping.abort(signal.reason);
  };
  if (signal.aborted) look();
  else signal.addEventListener('abort', look, { once: true });
  return stopping.signal;
}
