import { closeSync, constants, openSync, writeSync } from 'node:fs';

const BEAT_MS = 1_000;
const WIDTH = 10;

/**
 * The sign of life that the loader watches: a number of fixed width, changed in place each second, so that it works
 * on a full disk too. A process whose event loop stands still stops beating. `onOrphaned`: the loader is gone.
 */
export function beat(path: string, onOrphaned: () => void): Disposable {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  const parent = process.ppid;
  let count = 0;
  const strike = () => {
    count = (count + 1) % 10 ** WIDTH;
    try {
      writeSync(file, `${String(count).padStart(WIDTH, '0')}\n`, 0);
    } catch {
      // Seen from outside as standing still: the loader's verdict is the right one then.
    }
    if (process.ppid !== parent) onOrphaned();
  };
  strike();
  const timer = setInterval(strike, BEAT_MS);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      closeSync(file);
    },
  };
}
