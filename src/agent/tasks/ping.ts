import type { TaskType } from './task.ts';

/** Answers, and changes nothing. */
export const ping: TaskType = {
  name: 'ping',
  lane: 'control',
  onCrash: 'again',
  run: async ({ room }) => ({ state: 'succeeded', output: { version: room.version, boot: room.boot } }),
};
