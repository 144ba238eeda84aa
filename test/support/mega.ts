import type { World } from '../../dev/world/world.ts';
import { run } from '../../src/cli/program.ts';

/** Runs `mega` in this process, as the world's operator, without a terminal. */
export async function megaHere(
  world: World,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const into = (name: 'out' | 'err') => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const signal = new AbortController().signal;
  const around = { out: into('out'), err: into('err'), interrupt: () => signal };
  const dashes = args.indexOf('--');
  const own = dashes < 0 ? args.length : dashes;
  const words = [...args.slice(0, own), '--config', world.operatorConfig, ...args.slice(own)];
  return { code: await run(words, around), ...written };
}
