import type { JobWithCounts } from '../answers.ts';
import { countsOf } from './states.ts';
import { hasEndedIn, wavesOf, waveUnderWay } from './waves.ts';
import { heldBy, needsPerson, remedyLines } from './words.ts';

/** What becomes of a job itself from look to look, in lines; of the first look, only what is not as usual. */
export class News {
  #before: JobWithCounts | undefined;
  /** By what it was held when that was told last. */
  #told: string | undefined;

  see(now: JobWithCounts): string[] {
    const before = this.#before;
    this.#before = now;
    return [...waveNews(before, now), ...this.#holdNews(before, now)];
  }

  /** A job may wait for a moment between two hosts: only what is so in two looks is told, unless a person is needed. */
  #holdNews(before: JobWithCounts | undefined, now: JobWithCounts): string[] {
    if (now.state === 'cancelling')
      return before?.state === 'cancelling' ? [] : ['the job is being cancelled'];
    const held = heldBy(now);
    const by = held && holderOf(now);
    const steady = needsPerson(now) || (before !== undefined && holderOf(before) === by);
    if (by === this.#told || (by && !steady)) return [];
    this.#told = by;
    return held
      ? [held.why, ...remedyLines(held.remedies)]
      : now.state === 'running'
        ? ['the job goes on']
        : [];
  }
}

const holderOf = (job: JobWithCounts) => (job.state === 'paused' ? 'paused' : job.waitingFor?.what);

function waveNews(before: JobWithCounts | undefined, now: JobWithCounts): string[] {
  const waves = wavesOf(now);
  if (waves.length === 1) return [];
  const reached = waveUnderWay(now).wave;
  if (!before) return [`wave ${reached} of ${waves.length} is under way`];
  const earlier = wavesOf(before);
  const was = waveUnderWay(before).wave;
  const ended = waves.filter(
    (wave, i) => hasEndedIn(wave) && earlier[i] !== undefined && !hasEndedIn(earlier[i]),
  );
  const begun = waves.filter(({ wave }) => wave > was && wave <= reached);
  return [
    ...ended.map(({ wave, counts }) => `wave ${wave} of ${waves.length} has ended: ${countsOf(counts)}`),
    ...begun.map(({ wave, hosts }) => `wave ${wave} of ${waves.length} begins: ${hosts} hosts`),
  ];
}
