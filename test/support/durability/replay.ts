import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CONTENTS, type Contents, type Disk, digest, restore } from './disk.ts';
import { tell } from './order.ts';
import type { Op } from './trace.ts';

/** A state that a power loss can leave, made as a real folder; `told` are the marks printed before it. */
export type State = { path: string; when: string; told: string[] };

/** Several at once, for most of the time of a check is waiting. */
const AT_ONCE = 4;

/**
 * Cuts the power after every op (of those in `at`, if given) in every way that the disk allows, each distinct state
 * once. Returns what `check` finds wrong, and how many states there were.
 */
export async function replay(
  ops: Op[],
  disk: Disk,
  scratch: string,
  check: (state: State) => Promise<string | undefined> | string | undefined,
  options: { contents?: readonly Contents[]; at?: (index: number) => boolean } = {},
): Promise<{ states: number; wrong: string[] }> {
  const wrong: string[] = [];
  const under = new Set<Promise<void>>();
  const run = async (state: State) => {
    const found = await check(state);
    if (found !== undefined) wrong.push(`${state.when}: ${found}`);
    rmSync(state.path, { recursive: true, force: true, maxRetries: 5 });
  };
  let states = 0;
  for (const state of statesOf(ops, disk, scratch, options)) {
    states++;
    const one = run(state).finally(() => under.delete(one));
    under.add(one);
    if (under.size >= AT_ONCE) await Promise.race(under);
  }
  await Promise.all(under);
  return { states, wrong };
}

function* statesOf(
  ops: Op[],
  disk: Disk,
  scratch: string,
  {
    contents = CONTENTS,
    at = () => true,
  }: { contents?: readonly Contents[]; at?: (index: number) => boolean },
): Generator<State> {
  const seen = new Set<string>();
  const told: string[] = [];
  for (let index = 0; index <= ops.length; index++) {
    const last = ops[index - 1];
    if (last) disk.apply(last);
    if (last?.do === 'say') told.push(last.text);
    if (!at(index)) continue;
    for (const { how, left } of disk.losses(contents)) {
      const key = `${digest(left)} ${told.length}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const path = join(scratch, `state ${seen.size}`);
      restore(left, path);
      yield {
        path,
        told: [...told],
        when: `power lost after op ${index} (${last ? tell(last) : 'none'}), ${how}`,
      };
    }
  }
}
