import { withoutSecrets } from '../../lib/errors.ts';
import { settings } from '../../lib/orders.ts';
import type { TaskType } from './task.ts';

/** Tells what this agent goes by, and which of it may be set from outside. No secret is among it. */
export const getConfig: TaskType = {
  name: 'get_config',
  lane: 'control',
  onCrash: 'again',
  run: async ({ room }) => {
    const { home, broker, ca, ...config } = room.config;
    const url = new URL(broker);
    [url.username, url.password] = ['', ''];
    const shown = { ...config, broker: withoutSecrets(url.href), tls: ca !== undefined, home: home.root };
    return { state: 'succeeded', output: { config: shown, settable: Object.keys(settings.shape) } };
  },
};
