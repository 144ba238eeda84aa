import { factsOf } from '../facts/facts.ts';
import type { TaskType } from './task.ts';

/** Tells what this machine is and which databases run on it; see src/agent/facts. */
export const facts: TaskType = {
  name: 'facts',
  lane: 'control',
  onCrash: 'again',
  run: async ({ signal }) => ({ state: 'succeeded', output: await factsOf(signal) }),
};
