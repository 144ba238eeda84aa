import type { JobWithCounts } from '../answers.ts';
import { countsOf } from './states.ts';
import { hasEndedIn, wavesOf, waveUnderWay } from './waves.ts';
import { heldBy, remedyLines } from './words.ts';

/** What became of the job itself between two looks, in lines; of a first look, only what is not as usual. */
export function newsOf(before: JobWithCounts | undefined, now: JobWithCounts): string[] {
  return [...waveNews(before, now), ...stateNews(before, now)];
}

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

export function stateNews(before: JobWithCounts | undefined, now: JobWithCounts): string[] {
  const lines: string[] = [];
  const was = before && heldBy(before);
  const is = heldBy(now);
  if (before?.state === 'paused' && now.state === 'running') lines.push('the job goes on');
  if (now.state === 'cancelling' && before?.state !== 'cancelling') lines.push('the job is being cancelled');
  const isNew = now.state !== before?.state || now.waitingFor?.what !== before?.waitingFor?.what;
  if (is && isNew) lines.push(is.why, ...remedyLines(is.remedies));
  if (was && !is && before?.state === now.state) lines.push('it waits no more');
  return lines;
}
