import type { Secret } from '../secret.ts';
import type { Probes } from '../upgrade/watch.ts';
import { checkUpgrade } from './check_upgrade.ts';
import { clientUpgrade } from './client_upgrade.ts';
import { facts } from './facts.ts';
import { fetchLogsTask } from './fetch_logs.ts';
import { getConfig } from './get_config.ts';
import { ping } from './ping.ts';
import { remoteCmdTask } from './remote_cmd.ts';
import { restart } from './restart.ts';
import { rotateSecret } from './rotate_secret.ts';
import { setConfig } from './set_config.ts';
import type { TaskType } from './task.ts';

/**
 * Every type of task that is ours; a team's own come from its package, see own.ts. `cancel` and `probe` are no tasks but
 * words about one, which the inbox takes.
 */
export function ourTasks(probes: Probes, secret: Secret): TaskType[] {
  return [
    ...[ping, facts, fetchLogsTask, getConfig, setConfig, restart, remoteCmdTask],
    ...[checkUpgrade, clientUpgrade(probes), rotateSecret(secret)],
  ];
}
