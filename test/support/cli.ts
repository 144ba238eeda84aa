import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { conn } from '../../src/lib/conn.ts';
import { Management } from '../../src/lib/management.ts';

export const mega = join(import.meta.dirname, '../../bin/mega');

type Settings = Record<string, string>;
export type Outcome = { code: number | null; out: string; err: string };

/** Starts `mega` as a person would, but with none of this process's own settings. */
export function start(
  args: string[],
  program = mega,
  settings: Settings = {},
): ChildProcess & { text: () => Outcome } {
  const env = Object.entries(process.env).filter(([name]) => !name.startsWith('MEGA_'));
  const child = spawn(program, args, {
    env: { ...Object.fromEntries(env), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes) => {
    err += bytes;
  });
  return Object.assign(child, { text: () => ({ code: child.exitCode, out, err }) });
}

export async function run(args: string[], program = mega, settings: Settings = {}): Promise<Outcome> {
  const child = start(args, program, settings);
  await once(child, 'close');
  return child.text();
}

export async function until(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}

/** A folder of the test's own, with a space in its name as users have them. */
export function scratch(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'mega cli '));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A vhost, users and a database with names of their own, on the servers of the test run; disposing removes all. */
export class Site implements AsyncDisposable {
  readonly mark = randomBytes(4).toString('hex');
  readonly vhost = `cli-${this.mark}`;
  readonly folder = scratch();
  readonly managementUrl = process.env.MEGA_TEST_RABBITMQ!;
  readonly databaseUrl = `${process.env.MEGA_TEST_MYSQL!.replace(/\/$/, '')}/mega_cli_${this.mark}`;
  readonly hosts: string[] = [];
  #processes: ChildProcess[] = [];

  at(...parts: string[]): string {
    return join(this.folder.path, ...parts);
  }

  /** Runs `mega setup` as an administrator would. */
  async setup(...more: string[]): Promise<Outcome> {
    writeFileSync(this.at('management.url'), `${this.managementUrl}\n`);
    writeFileSync(this.at('database.url'), `${this.databaseUrl}\n`);
    const urls = [
      '--management-url-file',
      this.at('management.url'),
      '--database-url-file',
      this.at('database.url'),
    ];
    writeFileSync(this.at('passphrase'), `the passphrase of ${this.mark}\n`);
    const names = ['--vhost', this.vhost, '--operator', this.mark, '--dispatcher-user', `mega_${this.mark}`];
    return run(['setup', ...urls, ...names, ...more, '--out', this.at('etc')], mega, this.settings);
  }

  read(...parts: string[]): string {
    return readFileSync(this.at(...parts), 'utf8');
  }

  /** Where the passphrase of the offline keys is. */
  get settings(): Settings {
    return { MEGA_PASSPHRASE_FILE: this.at('passphrase') };
  }

  /** Runs `mega` as this site's operator. */
  operator(...args: string[]): Promise<Outcome> {
    return run([...args, '--config', this.at('etc', 'operator.json')], mega, this.settings);
  }

  /** The same, while it runs. */
  operatorStarts(...args: string[]): ReturnType<typeof start> {
    return this.#keep(start([...args, '--config', this.at('etc', 'operator.json')], mega, this.settings));
  }

  /** Another program, which ends with the site. */
  starts([program, ...args]: [string, ...string[]]): ReturnType<typeof start> {
    return this.#keep(start(args, program));
  }

  async startDispatcher(config = 'dispatcher.json'): Promise<ReturnType<typeof start>> {
    const child = this.#keep(start(['dispatcher', '--config', this.at('etc', config)]));
    await until('the dispatcher is ready', () => {
      if (child.exitCode !== null) throw new Error(`the dispatcher ended: ${child.text().err}`);
      return child.text().err.includes('the dispatcher is ready');
    });
    return child;
  }

  /** Ends one that was started here, as an init system does. */
  async stops(child: ChildProcess): Promise<void> {
    child.kill('SIGTERM');
    await once(child, 'close');
  }

  /** Changes settings in a configuration file. */
  configure(changes: object, name = 'dispatcher.json'): void {
    const before = JSON.parse(this.read('etc', name)) as object;
    writeFileSync(this.at('etc', name), JSON.stringify({ ...before, ...changes }));
  }

  /** A host id that no other test has: users of the broker are known to all its vhosts. */
  newHost(name: string): string {
    const host = `${name}-${this.mark}`;
    this.hosts.push(host);
    return host;
  }

  #keep<T extends ChildProcess>(child: T): T {
    this.#processes.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'close');
    }
    const management = new Management(this.managementUrl, this.vhost);
    await management.deleteVhost();
    for (const user of [`op_${this.mark}`, `mega_${this.mark}`, ...this.hosts])
      await management.deleteUser(user);
    await using db = conn(process.env.MEGA_TEST_MYSQL!, { connections: 1 });
    await db.run(`DROP DATABASE IF EXISTS mega_cli_${this.mark}`);
    this.folder[Symbol.dispose]();
  }
}
