import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../../dev/world/world.ts';
import { loginOf } from '../../src/lib/people.ts';
import { type Call, openSender, type Sender } from '../../src/lib/sender.ts';
import { type Outcome, run } from './cli.ts';

/** Runs `mega` with this configuration, as a person does. */
export const asOwnerOf = (config: string, ...args: string[]): Promise<Outcome> =>
  run([...args, '--config', config]);

/** Somebody with a login of the world's broker; disposing of it removes them from the fleet and the broker. */
export class Person implements AsyncDisposable {
  readonly name: string;
  readonly login: string;
  readonly config: string;
  #world: World;
  #sender: Promise<Sender> | undefined;

  constructor(world: World, login: string, config: string) {
    this.#world = world;
    this.login = login;
    this.name = login.replace(/^op_/, '');
    this.config = config;
  }

  /** By `mega user add`; users of the broker are known to all its vhosts, so the name bears the world's. */
  static async add(world: World, short: string, role: string): Promise<Person> {
    const name = `${world.name}-${short}`;
    const person = new Person(world, loginOf(name), join(world.folder, `${name}.json`));
    await world.mega('user', 'add', name, '--role', role, '--out', person.config);
    return person;
  }

  /** By `mega user token create`, asked for by whoever `config` belongs to. */
  async addToken(name: string, role: string, config = this.#world.operatorConfig): Promise<Person> {
    const token = new Person(this.#world, loginOf(this.name, name), `${this.config}.${name}`);
    const what = ['--name', name, '--role', role, '--ttl', '30d', '--out', token.config];
    const { code, err } = await asOwnerOf(config, 'user', 'token', 'create', this.name, ...what);
    assert.equal(code, 0, err);
    return token;
  }

  get secret(): string {
    return new URL(JSON.parse(readFileSync(this.config, 'utf8')).broker as string).password;
  }

  mega(...args: string[]): Promise<Outcome> {
    return asOwnerOf(this.config, ...args);
  }

  /** Over one connection, which stays open. */
  call: Call = async (fn, args = {}, options) => {
    this.#sender ??= openSender(JSON.parse(readFileSync(this.config, 'utf8')), 10_000);
    return (await this.#sender).call(fn, args, options);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#sender)?.[Symbol.asyncDispose]();
    await this.#world.call('del_user', { name: this.name }).catch(() => undefined); // of those whom it knows
    await this.#world.management.deleteUser(this.login);
  }
}
