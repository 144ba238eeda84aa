import type { Order, UpgradeArgs } from '../../../src/lib/messages.ts';

export const TASK = '0198c0de-0000-7000-8000-000000000001';
export const idOf = (n: number) => `0198c0de-0000-7000-8000-${String(n).padStart(12, '0')}`;

export function orderOf(n: number, args: Order['args'] = {}): Order {
  const [issued, expires] = [Date.now(), Date.now() + 60_000];
  const about = { v: 1, task: idOf(n), host: 'db-01', sequence: 1, type: 'ping', args } as const;
  return { ...about, issued, expires, timeoutMs: 1000 };
}

export const upgrade: UpgradeArgs = {
  to: '1.1.0',
  sha256: 'a'.repeat(64),
  size: 1,
  platforms: [],
  runtime: 'node-24.0.0',
  runtimes: {},
  trial: { starts: 2, seconds: 60, hangSeconds: 30 },
  downgrade: false,
  expect: null,
};
