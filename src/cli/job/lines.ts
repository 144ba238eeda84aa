import { clean, clock } from '../text.ts';
import type { Output } from '../world.ts';
import { FEW_HOSTS, type Snapshot } from './follow.ts';
import { News } from './news.ts';
import { countsOf, total } from './states.ts';
import { Tracker } from './track.ts';
import { failureLine, Progress, slowLine, standingLine, type View } from './view.ts';
import { wavesOf, waveUnderWay } from './waves.ts';

/** Between two lines that only say how far a large job is. */
const QUIET_MS = 30_000;
/** A log is no place for thousands of hosts that all fail: the counts go on telling. */
const MOST_FAILURES = 50;

/**
 * For pipes and logs. Of a small job a line for each change of a host's phase; of a large one its failures, and now and
 * then how far it is. What becomes of the job itself is always told.
 */
export function lineView(output: Output): View {
  const say = (text: string, at = Date.now()) => output.write(`${clock(at)} ${clean(text)}\n`);
  const hosts = { few: new EachHost(say), many: new ManyHosts(say) };
  const news = new News();
  return {
    show: (seen) => {
      hosts[total(seen.job.counts) <= FEW_HOSTS ? 'few' : 'many'].show(seen);
      for (const line of news.see(seen.job)) say(line);
    },
    note: say,
    close: () => undefined,
  };
}

/** No host is told; only what becomes of the job. */
export function quietView(output: Output): View {
  const say = (text: string) => output.write(`mega: ${clean(text)}\n`);
  const news = new News();
  return {
    show: ({ job }) => {
      for (const line of news.see(job)) say(line);
    },
    note: say,
    close: () => undefined,
  };
}

type Say = (text: string, at?: number) => void;

class EachHost {
  #say: Say;
  #tracker = new Tracker();

  constructor(say: Say) {
    this.#say = say;
  }

  show({ tasks }: Snapshot): void {
    for (const one of this.#tracker.update(tasks)) {
      if (one.label !== 'pending') this.#say(standingLine(one), one.since);
    }
  }
}

class ManyHosts {
  #say: Say;
  #progress = new Progress();
  #told = new Set<string>();
  #toldAt: number | undefined;

  constructor(say: Say) {
    this.#say = say;
  }

  show(seen: Snapshot): void {
    this.#progress.see(seen.job);
    this.#failures(seen);
    const now = performance.now();
    if (this.#toldAt !== undefined && now - this.#toldAt < QUIET_MS) return;
    this.#toldAt = now;
    this.#say(this.#howFar(seen));
  }

  #failures({ job, failed }: Snapshot): void {
    for (const task of failed) {
      if (this.#told.has(task.id) || this.#told.size >= MOST_FAILURES) continue;
      this.#told.add(task.id);
      this.#say(failureLine(task), task.finishedAt === null ? undefined : Date.parse(task.finishedAt));
      if (this.#told.size === MOST_FAILURES)
        this.#say(`more that fail are only counted from here on; which and why: mega job show ${job.id}`);
    }
  }

  #howFar({ job, slowest }: Snapshot): string {
    const waves = wavesOf(job);
    const { wave } = waveUnderWay(job);
    const where = waves.length > 1 ? `wave ${wave} of ${waves.length}; in all ` : '';
    const slow = slowest[0] ? `slowest ${slowLine(slowest[0])}` : undefined;
    const parts = [`${where}${countsOf(job.counts)}`, this.#progress.tell(job), slow];
    return parts.filter((part) => part !== undefined).join('; ');
  }
}
