import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Where a secret's name stands, whatever the file. */
const NAMES = /^(secret|token|password|passphrase)$/;
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----([\s\S]*?)-----END/g;
/** Shorter ones are words. */
const LEAST = 12;
/** What is told of a secret, at least, for it to count as told: chance alone does not make so much alike. */
const PIECE = 10;
/** What we did not write, and what holds thousands of files: a runtime, and the package of one. */
const PASSED_OVER = /^(runtimes|node_modules)$/;

export type Found = { path: string; text: string };

/** Every file below a folder, as text. */
export function textsIn(folder: string): Found[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return PASSED_OVER.test(entry.name) ? [] : textsIn(path);
    return entry.isFile() ? [{ path, text: readFileSync(path, 'latin1') }] : [];
  });
}

/**
 * All secrets that these files hold: passwords in URLs, what stands under a name such as `secret` or anywhere under
 * `keys`, and private keys.
 */
export function secretsIn(files: Found[]): Set<string> {
  const found = new Set<string>();
  for (const { path, text } of files) {
    if (path.endsWith('.json')) for (const one of inJson(parsed(text))) found.add(one);
    if (path.endsWith('.url')) for (const one of inUrl(text.trim())) found.add(one);
    if (basename(path).startsWith('passphrase')) found.add(text.trim());
    for (const [, body] of text.matchAll(PEM)) for (const line of body!.trim().split('\n')) found.add(line);
  }
  return new Set([...found].filter((one) => one.length >= LEAST));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function* inJson(value: unknown, secret = false): Generator<string> {
  if (typeof value === 'string') {
    if (secret) yield value;
    else yield* inUrl(value);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      if (name === 'signed') continue; // metadata of The Update Framework, whose keys are public
      yield* inJson(inner, secret || NAMES.test(name) || (name === 'keys' && !Array.isArray(inner)));
    }
  }
}

function* inUrl(text: string): Generator<string> {
  const password = URL.canParse(text) ? new URL(text).password : '';
  if (password) yield* new Set([password, decodeURIComponent(password)]);
}

/** A part of a secret is told as well: every piece of it of this length. */
export class Pieces {
  #pieces = new Map<string, string>();

  constructor(secrets: Iterable<string>) {
    for (const secret of secrets) {
      for (let at = 0; at + PIECE <= secret.length; at++) {
        this.#pieces.set(secret.slice(at, at + PIECE), `${secret.slice(0, 4)}…`);
      }
    }
  }

  /** The beginnings of the secrets of which a piece stands in the text. */
  in(text: string): string[] {
    const found = new Set<string>();
    for (let at = 0; at + PIECE <= text.length; at++) {
      const secret = this.#pieces.get(text.slice(at, at + PIECE));
      if (secret !== undefined) found.add(secret);
    }
    return [...found];
  }
}

/** Reads the command line of every process of this machine again and again, as any of its users may. */
export class ProcessList implements Disposable {
  readonly seen = new Set<string>();
  #timer = setInterval(() => this.look(), 10);

  look(): void {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      try {
        this.seen.add(readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
