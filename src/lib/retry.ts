import pRetry from 'p-retry';

export type RetryOptions = {
  /** How often to try again after the first time. */
  retries: number;
  /** The first pause; each is about twice the one before, with jitter. */
  minTimeoutMs: number;
  maxTimeoutMs: number;
  /** Which errors are worth another try. */
  when: (error: Error) => boolean;
};

/** Runs `work` until it succeeds, an error is not worth another try, or the tries are used up. */
export function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  return pRetry(work, {
    retries: options.retries,
    minTimeout: options.minTimeoutMs,
    maxTimeout: options.maxTimeoutMs,
    randomize: true,
    shouldRetry: ({ error }) => options.when(error),
  });
}
