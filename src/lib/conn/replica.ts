import { UnavailableError } from '../errors.ts';
import type { Params, Reader } from './types.ts';

/** A replica that was away is let be for so long, so that not every question waits for it. */
const REST_MS = 5_000;

/** Asks the first, and the second where the first is away; both of them must refuse what writes. */
export function readingFrom(replica: Reader, primary: Reader): Reader {
  let restUntil = 0;
  const isResting = () => performance.now() < restUntil;
  const rest = (error: unknown) => {
    if (!(error instanceof UnavailableError)) throw error;
    restUntil = performance.now() + REST_MS;
  };
  const ask = async <T>(question: (of: Reader) => Promise<T>): Promise<T> => {
    if (isResting()) return question(primary);
    try {
      return await question(replica);
    } catch (error) {
      rest(error);
      return question(primary);
    }
  };
  return {
    query: (sql, params) => ask((of) => of.query(sql, params)),
    one: (sql, params) => ask((of) => of.one(sql, params)),
    stream: async function* <T extends object>(sql: string, params?: Params) {
      let begun = false;
      try {
        for await (const row of (isResting() ? primary : replica).stream<T>(sql, params)) {
          begun = true;
          yield row;
        }
      } catch (error) {
        if (begun || isResting()) throw error;
        rest(error);
        yield* primary.stream<T>(sql, params);
      }
    },
  };
}
