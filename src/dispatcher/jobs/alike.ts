import type { Limits } from '../../lib/limits.ts';
import { uuidv7 } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import { allHosts } from '../store/hosts.ts';
import { selectHosts } from '../targets.ts';
import { type Asked, isThere, startJob } from './start.ts';

const PING_TIMEOUT_MS = 10_000;
const ROTATION_TIMEOUT_MS = 60_000;

export type AlikeRequest = { on: string[]; limits?: Limits | undefined };

export async function startPing(context: Context, request: AlikeRequest, asked: Asked): Promise<string> {
  const times = { timeoutMs: PING_TIMEOUT_MS, deadlineMs: PING_TIMEOUT_MS };
  return startAlike(context, { type: 'ping', args: {}, ...request, ...times }, asked);
}

/** Hosts make a new secret, those that are away when they come back. */
export async function startRotation(context: Context, request: AlikeRequest, asked: Asked): Promise<string> {
  const about = { type: 'rotate_secret', args: {}, timeoutMs: ROTATION_TIMEOUT_MS };
  return startAlike(context, { ...about, ...request }, asked);
}

export type AlikeJob = AlikeRequest & { type: string; args: object; timeoutMs: number; deadlineMs?: number };

/** A job whose tasks all have the same arguments. */
export async function startAlike(context: Context, job: AlikeJob, asked: Asked): Promise<string> {
  const hosts = selectHosts(await allHosts(context.db), job.on);
  const tasks = hosts.map((host) => ({
    ...{ id: uuidv7(), host: host.id, online: isThere(host), args: job.args },
    ...{ state: 'pending' as const, reason: null, fromVersion: host.version },
  }));
  return startJob(context, { ...job, tasks }, asked);
}
