import type { TaskType } from './task.ts';

/**
 * Restarts the agent: this process ends in order, and the loader starts what `current` names. The next one, which is
 * another one by its boot id, says that it is done. Scripts go on meanwhile.
 */
export const restart: TaskType = {
  name: 'restart',
  lane: 'exclusive',
  onCrash: 'resume',
  run: async ({ room, entry }) => {
    const { task } = entry.order;
    const { before } = entry.facts;
    if (before !== undefined && before !== room.boot) {
      return { state: 'succeeded', output: { version: room.version, boot: room.boot, before } };
    }
    room.journal.remember(task, { before: room.boot });
    room.restart();
    return 'restarting';
  },
};
