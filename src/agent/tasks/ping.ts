import type { TaskType } from './task.ts';

/** Answers; has no effect, so it may be run again after a crash. */
export const ping: TaskType = {
  name: 'ping',
  lane: 'control',
  onCrash: 'resume',
  run: async ({ room }) => ({ state: 'succeeded', output: { version: room.version, boot: room.boot } }),
};
