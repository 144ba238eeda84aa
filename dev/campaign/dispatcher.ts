import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readIfThere } from '../../src/lib/files.ts';
import type { ServerProcess } from '../servers/process.ts';
import type { World } from '../world/world.ts';
import { Gate } from './gate.ts';

const AGAIN_MS = 500;

/** A dispatcher under an init system: whenever it ends, it is started again. */
export class SupervisedDispatcher {
  readonly name: string;
  /** When it ended by itself after it had been ready: where its log is. Before that, a server that is away may end it. */
  readonly falls: string[] = [];
  #world: World;
  #gate = new Gate();
  #process: ServerProcess | undefined;
  #log = '';
  #starts = 0;
  #retired = false;
  /** The end that comes is one that we have brought about. */
  #asked = false;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  async supervise(): Promise<void> {
    while (!this.#retired) {
      await this.#gate.passed();
      this.#log = join(this.#world.folder, `${this.name}-${++this.#starts}.log`);
      this.#asked = false;
      this.#process = await this.#world.spawnDispatcher(this.#log);
      const code = await this.#process.exited;
      if (!this.#asked && this.isReady()) this.falls.push(`exit code ${code}, see ${this.#log}`);
      await sleep(AGAIN_MS);
    }
  }

  isReady(): boolean {
    return (readIfThere(this.#log) ?? '').includes('the dispatcher is ready');
  }

  /** It stays down until `up`. */
  async down(how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#gate.close();
    this.#asked = true;
    if (how === 'SIGTERM') await this.#process?.end('SIGTERM');
    else await this.#process?.killAll();
  }

  up(): void {
    this.#gate.open();
  }

  async retire(): Promise<void> {
    this.#retired = true;
    await this.down('SIGKILL');
  }
}
