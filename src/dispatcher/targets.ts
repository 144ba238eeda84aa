import { InputError } from '../lib/errors.ts';

/** The hosts that a target means: `all`, a name, `*` in names, or several of these; unknown names are an error. */
export function selectHosts<T extends { id: string }>(hosts: T[], on: string[]): T[] {
  const meant = new Set<string>();
  for (const target of on) {
    const found = hosts.filter((host) => target === 'all' || matches(host.id, target));
    if (found.length === 0 && target !== 'all') {
      const what = target.includes('*') ? 'no host matches' : 'no host is called';
      throw new InputError('unknown_host', `${what} "${target}"; mega host list shows all`);
    }
    for (const host of found) meant.add(host.id);
  }
  return hosts.filter((host) => meant.has(host.id));
}

function matches(id: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[^a-z0-9-]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(id);
}
