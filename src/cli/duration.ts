import { InvalidArgumentError } from 'commander';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `15m`, `1h`, `30d`, in milliseconds. */
export function duration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  if (count === undefined)
    throw new InvalidArgumentError('It must be a duration such as 90s, 15m, 1h or 30d.');
  return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
