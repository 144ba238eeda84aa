import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { Refusal } from '../upgrade/refusal.ts';

/** As whom a script runs. */
export type ScriptUser = {
  name: string;
  home: string;
  uid: number;
  gid: number;
  /** Not the agent's own user, so that the script's process must become it. */
  isOther: boolean;
};

const LOOK_UP_MS = 10_000;

/** The configured user, or else the agent's own. Errors: {@link Refusal}. */
export async function scriptUser(configured: string | undefined): Promise<ScriptUser> {
  const { username: name, homedir: home, uid, gid } = userInfo();
  const own = { name, home, uid, gid, isOther: false };
  if (configured === undefined || configured === name) return own;
  if (uid !== 0) {
    throw new Refusal(
      'cannot_become',
      `scripts are to run as ${configured}, but the agent runs as ${name} and cannot become another user: take scriptUser out of etc/agent.json, or run the agent as root`,
    );
  }
  return lookUp(configured);
}

/** By the system's own means, which know more than /etc/passwd. */
async function lookUp(name: string): Promise<ScriptUser> {
  const options = { timeout: LOOK_UP_MS, env: { PATH: '/usr/bin:/bin' } };
  const asked = promisify(execFile)('getent', ['passwd', name], options);
  const { stdout } = await asked.catch(() => ({ stdout: '' }));
  const [, , uid = '', gid = '', , home = '/'] = stdout.trim().split(':');
  if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid)) {
    throw new Refusal(
      'unknown_user',
      `scripts are to run as ${name}, and there is no such user on this host`,
    );
  }
  return { name, home, uid: Number(uid), gid: Number(gid), isOther: Number(uid) !== 0 };
}
