import { type Progress, type Result, schemas } from '../lib/messages.ts';

/** What is said of a task, in the words of whoever runs it. */
export type Said = Progress | Result;
export type Word = { state: Said['state']; phase?: Said['phase']; reason?: string } & Partial<
  Pick<Result, 'output' | 'proof'>
>;

export const isProgress = (state: Said['state']): state is Progress['state'] =>
  state === 'accepted' || state === 'running';

export type About = { task: string; host: string; seq: number; phase: Said['phase']; version: string };

/** The message's body. `seq` rises by one for each thing said about one task; `version` is what runs now. */
export function bodyOf(word: Word, { task, host, seq, phase, version }: About): string {
  const reason = word.reason ? schemas.reason.parse(word.reason) : undefined;
  const common = { v: 1, ...word, reason, phase, task, host, seq, at: Date.now() };
  return JSON.stringify(
    isProgress(word.state)
      ? { kind: 'progress', ...common }
      : { kind: 'result', ...common, running: version },
  );
}
