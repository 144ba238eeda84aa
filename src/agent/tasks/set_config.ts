import { readFileSync, statSync } from 'node:fs';
import { codeOf } from '../../lib/errors.ts';
import { writeDurably } from '../../lib/files.ts';
import { parse } from '../../lib/identity.ts';
import { type Settings, settings } from '../../lib/orders.ts';
import type { Room } from '../room.ts';
import { Refusal } from '../upgrade/refusal.ts';
import { argsOf } from './args.ts';
import type { TaskType } from './task.ts';

/**
 * Changes settings in `etc/agent.json`, those alone that `settings` in lib/orders.ts names, and restarts the agent, which
 * reads them at its start. The next process says that it goes by them. Written again after a crash, they are the same.
 */
export const setConfig: TaskType = {
  name: 'set_config',
  lane: 'exclusive',
  onCrash: 'resume',
  run: async ({ room, entry }) => {
    const { task, args } = entry.order;
    const wanted = argsOf(settings, args);
    const { before } = entry.facts;
    if (before !== undefined && before !== room.boot) return inEffect(room, wanted);
    write(room, wanted);
    room.journal.remember(task, { before: room.boot });
    room.restart();
    return 'restarting';
  },
};

function write({ home }: Room, wanted: Settings): void {
  const path = home.config;
  const config = { ...parse(path, readFileSync(path, 'utf8')), ...wanted };
  try {
    writeDurably(path, `${JSON.stringify(config, undefined, 2)}\n`, statSync(path).mode & 0o777);
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error))) throw error;
    throw new Refusal(
      'not_writable',
      `this agent may not change ${path}, which is root's where the agent is not: change it on the host`,
    );
  }
}

function inEffect({ config, version }: Room, wanted: Settings) {
  const now = config as Record<string, unknown>;
  const other = Object.entries(wanted).filter(([name, value]) => now[name] !== value);
  if (other.length === 0) return { state: 'succeeded', output: { set: wanted, version } } as const;
  const names = other.map(([name]) => name).join(', ');
  return { state: 'failed', reason: `the agent was restarted, and does not go by ${names}` } as const;
}
