import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readIfThere } from '../../src/lib/files.ts';
import { type Home, versionAt } from '../../src/lib/home.ts';
import { type ServerProcess, startProcess } from '../servers/process.ts';
import { compileCache } from './compiled.ts';
import { until } from './until.ts';

/** One host: a loader and its agent, as real processes in a home of their own. */
export class AgentProcess {
  readonly id: string;
  readonly home: Home;
  #process: ServerProcess | undefined;
  #shell: string[];
  #env: Record<string, string>;
  #starting: Promise<ServerProcess> | undefined;
  #retired = false;

  constructor(id: string, home: Home, shell: string[] = ['/bin/sh'], env: Record<string, string> = {}) {
    this.id = id;
    this.home = home;
    this.#shell = shell;
    this.#env = env;
  }

  /** Starts the loader, unless it runs. */
  async start(): Promise<void> {
    if (this.running || this.#retired) return;
    const [command, args] = this.commandLine('run');
    this.#starting = startProcess({
      command,
      args,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...compileCache(), ...this.#env },
      cwd: this.home.root,
      logFile: this.loaderLog,
    });
    this.#process = await this.#starting;
  }

  /** The command line of `mega_client` with these words, for this host: in the network where it lives. */
  commandLine(...words: string[]): [command: string, args: string[]] {
    const [command = '/bin/sh', ...args] = this.#shell;
    return [command, [...args, this.home.loader, ...words]];
  }

  get running(): boolean {
    return this.#process !== undefined && !this.#process.hasEnded();
  }

  get loaderLog(): string {
    return join(dirname(this.home.log), 'loader.log');
  }

  /** As an init system stops a service. */
  async stop(): Promise<void> {
    await this.#starting;
    await this.#process?.end('SIGTERM');
  }

  /** Power off: loader and agent at once. */
  async killAll(): Promise<void> {
    await this.#starting;
    if (this.running) await this.#process?.killAll();
  }

  get loaderPid(): number {
    return this.#process?.pid ?? -1;
  }

  get agentPid(): number {
    return Number(readFileSync(join(this.home.state, 'agent.pid'), 'utf8').trim());
  }

  /**
   * As an init system does with a service that has died: starts the loader again, until retired. Each start waits
   * for `mayStart`, which so keeps a host down for a while.
   */
  async supervise(mayStart: () => Promise<void> = async () => {}): Promise<void> {
    while (!this.#retired) {
      await mayStart();
      await this.start();
      await this.#process?.exited;
    }
  }

  /** Ends it for good. */
  async retire(): Promise<void> {
    this.#retired = true;
    await this.killAll();
  }

  /** The agent is killed at this point, once: `staging:exit agent`, or `both` for the loader too. */
  setFault(point: string, who: 'agent' | 'both'): void {
    writeFileSync(this.home.fault, `${point} ${who}\n`);
  }

  faultIsPending(): boolean {
    return readIfThere(this.home.fault) !== undefined;
  }

  /** The version that the link names. */
  get current(): string | undefined {
    return versionAt(this.home.current);
  }

  log(): string {
    return `${readIfThere(this.loaderLog) ?? ''}\n${readIfThere(this.home.log) ?? ''}`;
  }

  untilLogged(text: string | RegExp, deadlineMs = 60_000): Promise<true> {
    const look = () => (typeof text === 'string' ? this.log().includes(text) : text.test(this.log()));
    return until(`${this.id} to log ${text}`, look, { deadlineMs }) as Promise<true>;
  }

  /** The journal of an agent that does not run. */
  readJournal<T>(read: (db: DatabaseSync) => T): T {
    const db = new DatabaseSync(this.home.journal);
    try {
      return read(db);
    } finally {
      db.close();
    }
  }
}
