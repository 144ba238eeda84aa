import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Where it was measured; figures of two machines are not to be compared. */
export type Machine = {
  cores: number;
  memoryGb: number;
  cpu: string;
  system: string;
  kernel: string;
  node: string;
  rabbitmq: string;
  mariadb: string;
  /** The share of its cores that others used in the second before: beyond a little, only ratios can be trusted. */
  busyBefore: number;
};

export async function describeMachine(): Promise<Machine> {
  const busyBefore = await busyShare();
  const [rabbitmq, mariadb] = await Promise.all([
    versionOf('dpkg-query', ['--status', 'rabbitmq-server']),
    versionOf('mariadbd', ['--version']),
  ]);
  return {
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    cpu: cpus()[0]?.model ?? 'unknown',
    system: systemName(),
    kernel: release(),
    node: process.versions.node,
    rabbitmq,
    mariadb,
    busyBefore,
  };
}

const LOOK_MS = 1_000;

async function busyShare(): Promise<number> {
  const before = cpuTimes();
  await sleep(LOOK_MS);
  const after = cpuTimes();
  return Math.round((1 - (after.idle - before.idle) / (after.all - before.all)) * 100) / 100;
}

/** In ticks since boot; waiting for a disk counts as idle. */
function cpuTimes() {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = first.split(/ +/).slice(1, 9).map(Number);
  return { all: ticks.reduce((sum, one) => sum + one, 0), idle: (ticks[3] ?? 0) + (ticks[4] ?? 0) };
}

/** The commit that was measured, with a `+` when the checkout had changes beside it. */
export async function commit(root: string): Promise<string> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', ['-C', root, ...args])).stdout.trim();
  try {
    const [head, changes] = await Promise.all([
      git('rev-parse', '--short=10', 'HEAD'),
      git('status', '--porcelain', '--', 'src', 'bin', 'bench', 'dev'),
    ]);
    return `${head}${changes ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
}

async function versionOf(command: string, args: string[]): Promise<string> {
  try {
    const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
    const { stdout } = await promisify(execFile)(command, args, { env });
    return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  } catch {
    return 'Linux';
  }
}
