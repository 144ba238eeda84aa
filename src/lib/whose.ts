import { accessSync, constants, existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type ClientConfig, DEFAULT_PATH, loadAgentConfig, loadClientConfig } from './config.ts';
import { callerSettings } from './environment.ts';
import { InputError } from './errors.ts';
import { type Home, homeAt } from './home.ts';

/**
 * As whom a script calls that says nothing: the operator whom `$MEGA_CONFIG`, `$MEGA_BROKER` or the file in /etc name;
 * else the host on which it runs, where it is under an agent's home. Error: `no_config`.
 */
export function callerConfig(): ClientConfig {
  const home = hasOperator() ? undefined : ownHome();
  return home ? hostConfig(home) : loadClientConfig();
}

/** The host's own identity, which its agent's user alone can read. */
function hostConfig(home: Home): ClientConfig {
  if (!isReadable(home.identity)) {
    const who = `this host's identity (${home.identity}) is there for the agent's user alone`;
    throw new InputError('no_config', `${who}: run as that user, or name a configuration in $MEGA_CONFIG`);
  }
  const { broker, ca, allowPlain } = loadAgentConfig(home);
  return { broker, ca, allowPlain };
}

function hasOperator(): boolean {
  const { config, broker } = callerSettings();
  return config !== undefined || broker !== undefined || isReadable(DEFAULT_PATH);
}

/** `$MEGA_HOME`, or the home of whose release this library is a part: releases/1.1.0/lib. */
function ownHome(): Home | undefined {
  const { home } = callerSettings();
  if (home !== undefined) return homeAt(home);
  const releases = resolve(import.meta.dirname, '../..');
  const found = basename(releases) === 'releases' ? homeAt(dirname(releases)) : undefined;
  return found && existsSync(found.config) ? found : undefined;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
