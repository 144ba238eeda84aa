import type { Job, Task } from '../../src/cli/answers.ts';

/** What `--json` prints. Times in ms are by the host's own clock, as its agent told them. */
export type Figures = {
  fleet: {
    from: string;
    to: string;
    hosts: number;
    succeeded: number;
    failed: number;
    /** From the order to the end of the last host, by the dispatcher's clock. */
    seconds: number;
  };
  hosts: HostFigures[];
  broken: BrokenFigures[];
};

export type HostFigures = {
  host: string;
  from: string | null;
  to: string;
  state: string;
  phase: string | null;
  /** Null when it did not get through. */
  downtimeMs: number | null;
  phasesMs: Record<string, number>;
};

export type BrokenFigures = {
  host: string;
  to: string;
  state: string;
  phase: string | null;
  reason: string | null;
  /** What the host runs now. */
  running: string | null;
};

export type Upgrade = { job: Job; tasks: Task[] };

export function figuresOf(from: string, to: string, { job, tasks }: Upgrade, broken: Upgrade[]): Figures {
  const succeeded = tasks.filter((task) => task.state === 'succeeded').length;
  const fleet = {
    from,
    to,
    hosts: tasks.length,
    succeeded,
    failed: tasks.length - succeeded,
    seconds: secondsOf(job),
  };
  return {
    fleet,
    hosts: tasks.map(hostFigures),
    broken: broken.flatMap((one) => one.tasks.map(brokenFigures)),
  };
}

function hostFigures(task: Task): HostFigures {
  const { host, fromVersion, state, phase } = task;
  const times = { downtimeMs: downtimeOf(task), phasesMs: phasesOf(task) };
  return { host, from: fromVersion, to: targetOf(task), state, phase, ...times };
}

function brokenFigures(task: Task): BrokenFigures {
  const { host, state, phase, reason, running } = task;
  return { host, to: targetOf(task), state, phase, reason, running };
}

/** How long each phase lasted; the last event is the end and lasts no time. */
function phasesOf({ events }: Task): Record<string, number> {
  const inOrder = events.toSorted((a, b) => a.seq - b.seq);
  const lasted: Record<string, number> = {};
  let phase: string | null = null;
  for (const [i, event] of inOrder.entries()) {
    const next = inOrder[i + 1];
    phase = event.phase ?? phase; // an event without a phase belongs to the one that is under way
    if (next && phase) lasted[phase] = (lasted[phase] ?? 0) + Math.max(0, next.agentMs - event.agentMs);
  }
  return lasted;
}

/** From the moment that the old process stops to listen until the new one has proved that it gets through. */
function downtimeOf({ events }: Task): number | null {
  const at = (phase: string) => events.find((event) => event.phase === phase)?.agentMs;
  const [stopped, proved] = [at('restarting'), at('completed')];
  return stopped === undefined || proved === undefined ? null : Math.max(0, proved - stopped);
}

function secondsOf({ createdAt, finishedAt }: Job): number {
  const ms = finishedAt === null ? 0 : Date.parse(finishedAt) - Date.parse(createdAt);
  return Math.round(ms / 100) / 10;
}

const targetOf = (task: Task) => String(task.args.to);

/** What is not as it should be, a line each. `runs`: the version that a host's own files name. */
export function faultsOf(figures: Figures, runs: (host: string) => string | undefined): string[] {
  const { to, from } = figures.fleet;
  const fleet = figures.hosts
    .filter((one) => one.state !== 'succeeded' || one.phase !== 'completed')
    .map((one) => `${one.host} should have been upgraded from ${from} to ${to}, but ${endOf(one)}`);
  const broken = figures.broken
    .filter((one) => one.state !== 'failed' || one.phase !== 'rolled_back' || one.running !== to)
    .map((one) => `${one.host} should have gone back from ${one.to} to ${to}, but ${endOf(one)}`);
  const elsewhere = figures.hosts
    .filter((one) => runs(one.host) !== to)
    .map((one) => `${one.host} should run ${to}, but runs ${runs(one.host) ?? 'nothing'}`);
  return [...fleet, ...broken, ...elsewhere];
}

type End = { state: string; phase: string | null; reason?: string | null };

function endOf({ state, phase, reason }: End): string {
  return `it is ${state}${phase ? `, ${phase}` : ''}${reason ? `: ${reason}` : ''}`;
}
