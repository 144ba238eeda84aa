import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { AgentProcess } from '../../dev/world/agent.ts';
import { hostsFolder } from '../../dev/world/folder.ts';
import type { World } from '../../dev/world/world.ts';
import { homeAt } from '../../src/lib/home.ts';
import { decodeToken, encodeToken, type Token } from '../../src/lib/token.ts';
import type { Outcome } from './cli.ts';

export type Made = { id: string; token: string; line: string; expiresAt: string };

/** Machines that are not in the fleet yet, and tokens to join with. */
export class Machines {
  #world: () => World;
  #template: Promise<AgentProcess> | undefined;
  #agents: AgentProcess[] = [];

  constructor(world: () => World) {
    this.#world = world;
    after(async () => {
      for (const agent of this.#agents) await agent.retire();
    });
  }

  /** A home as an installer leaves it: a release, its runtime and the loader, and nothing of any host. */
  async bare(name: string): Promise<AgentProcess> {
    const world = this.#world();
    this.#template ??= world.addHost(`${world.name}-template`, '1.0.0');
    const { root } = (await this.#template).home;
    const id = `${world.name}-${name}`;
    const home = homeAt(join(world.folder, hostsFolder, id));
    mkdirSync(join(home.root, 'log'), { recursive: true });
    // Hard links: a runtime is a hundred megabytes.
    const parts = ['bin', 'current', 'releases', 'runtimes'].map((part) => join(root, part));
    execFileSync('cp', ['-al', ...parts, home.root]);
    const agent = new AgentProcess(id, home, undefined, world.mark);
    this.#agents.push(agent);
    return agent;
  }

  /** A copy of a machine's disk, state and all. */
  clone(of: AgentProcess, name: string): AgentProcess {
    const world = this.#world();
    const home = homeAt(join(world.folder, hostsFolder, `${world.name}-${name}`));
    execFileSync('cp', ['-a', of.home.root, home.root]);
    const agent = new AgentProcess(of.id, home, undefined, world.mark);
    this.#agents.push(agent);
    return agent;
  }

  token(...options: string[]): Promise<Made> {
    return this.#world().json<Made>('token', 'create', ...options);
  }

  async joined(name: string, ...options: string[]): Promise<AgentProcess> {
    const agent = await this.bare(name);
    const outcome = await joinWith(agent, (await this.token(...options)).token);
    if (outcome.code !== 0) throw new Error(outcome.err);
    return agent;
  }
}

/** Runs `mega_client join` as the installer does, with the token on standard input. */
export async function joinWith(agent: AgentProcess, token: string, name = agent.id): Promise<Outcome> {
  const child = startJoin(agent, token, name);
  await once(child, 'close');
  return child.text();
}

export function startJoin(agent: AgentProcess, token: string, name = agent.id) {
  const [command, args] = agent.commandLine('join', ...(name ? ['--name', name] : []));
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], cwd: agent.home.root });
  let [out, err] = ['', ''];
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes) => {
    err += bytes;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(token);
  return Object.assign(child, { text: () => ({ code: child.exitCode, out, err }) });
}

/** The same token with something else in it, and a sum that fits. */
export const changed = (token: string, change: Partial<Token>) =>
  encodeToken({ ...decodeToken(token), ...change });
