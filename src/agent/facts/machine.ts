import { arch, availableParallelism, cpus, freemem, hostname, release, totalmem, uptime } from 'node:os';
import { readIfThere } from '../../lib/files.ts';
import { get_all_ip_address } from '../../lib/utils.ts';

const MAX_ADDRESSES = 50;

/** Of the whole machine; sizes in bytes. `os` and `osVersion` are its distribution's own words: `debian`, `12`. */
export function machine() {
  const about = osRelease(readIfThere('/etc/os-release') ?? '');
  const memory = memInfo(readIfThere('/proc/meminfo') ?? '');
  return {
    os: about.ID ?? process.platform,
    osVersion: about.VERSION_ID ?? null,
    osName: about.PRETTY_NAME ?? null,
    kernel: release(),
    arch: arch(),
    hostname: hostname(),
    cpus: availableParallelism(),
    cpuModel: cpus()[0]?.model.trim() ?? null,
    memoryBytes: totalmem(),
    memoryAvailableBytes: memory.MemAvailable ?? freemem(),
    swapBytes: memory.SwapTotal ?? 0,
    swapFreeBytes: memory.SwapFree ?? 0,
    addresses: get_all_ip_address().slice(0, MAX_ADDRESSES),
    bootedAt: new Date(Date.now() - uptime() * 1000).toISOString(),
  };
}

/** `NAME="value"` lines. */
export function osRelease(text: string): Record<string, string> {
  const lines = [...text.matchAll(/^([A-Z_]+)=(["']?)(.*)\2$/gm)];
  return Object.fromEntries(lines.map(([, name, , value]) => [name, value]));
}

/** `Name: 123 kB` lines, in bytes. */
function memInfo(text: string): Record<string, number | undefined> {
  const lines = [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)];
  return Object.fromEntries(lines.map(([, name, kilobytes]) => [name, Number(kilobytes) * 1024]));
}
