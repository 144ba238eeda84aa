import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Op } from './trace.ts';

/**
 * A disk under a page cache, as POSIX promises it and no more: content is safe once its file was synced, a name
 * once its folder was. What is there at the beginning is safe.
 */
type File = { kind: 'file'; now: Content; safe: Content; pending: Change[]; position: number; mode: number };
type Link = { kind: 'link'; target: string };
type Folder = { kind: 'folder'; now: Map<string, Node>; safe: Map<string, Node> };
type Node = File | Link | Folder;
type Change = { at: number; bytes: Buffer } | { length: number };

/** What a power loss left: path → content, target of a link, or null for a folder. */
export type Left = Map<string, { bytes: Buffer; mode: number } | { target: string } | null>;

/** How unsynced content may come out of it; `last` and `first` are writes since the last sync. */
export const CONTENTS = ['kept', 'lost', 'zeroed', 'only last', 'all but first', 'last torn'] as const;
export type Contents = (typeof CONTENTS)[number];

export class Disk {
  #root: Folder = { kind: 'folder', now: new Map(), safe: new Map() };

  static of(path: string): Disk {
    const disk = new Disk();
    disk.#root = read(path) as Folder;
    return disk;
  }

  apply(op: Op): void {
    if (op.do === 'say') return;
    if (op.do === 'sync') this.#sync(op.path);
    else if (op.do === 'open') this.#open(op.path, op.truncate);
    else if (op.do === 'mkdir') this.#put(op.path, { kind: 'folder', now: new Map(), safe: new Map() });
    else if (op.do === 'link') this.#put(op.path, { kind: 'link', target: op.target });
    else if (op.do === 'unlink') this.#drop(op.path);
    else if (op.do === 'rename') {
      const node = this.#need(op.path);
      this.#drop(op.path);
      this.#put(op.to, node);
    } else this.#change(op);
  }

  #change(op: Op & { do: 'write' | 'seek' | 'truncate' }): void {
    const file = this.file(op.path);
    if (op.do === 'seek') file.position = op.at;
    else if (op.do === 'truncate') change(file, { length: op.length });
    else {
      const at = op.at ?? file.position;
      change(file, { at, bytes: op.bytes });
      if (op.at === undefined) file.position = at + op.bytes.length;
    }
  }

  /** What of `path`, and of all below it, a power loss may still take; empty when it is durable. */
  unsafe(path: string): string[] {
    const found: string[] = [];
    let node: Node | undefined = this.#root;
    for (const name of path === '' ? [] : path.split('/')) {
      if (node?.kind !== 'folder') return found;
      const child: Node | undefined = node.now.get(name);
      if (node.safe.get(name) !== child) found.push(`the name ${path}`);
      node = child;
    }
    return node ? [...found, ...unsafeIn(node, path)] : found;
  }

  get(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path === '' ? [] : path.split('/')) {
      if (node?.kind !== 'folder') return undefined;
      node = node.now.get(name);
    }
    return node;
  }

  file(path: string): File {
    const node = this.#need(path);
    if (node.kind !== 'file') throw new Error(`${path} is a ${node.kind}`);
    return node;
  }

  /** What is there while the power holds. */
  now(): Left {
    const left: Left = new Map();
    gather(this.#root, '', 'kept', 'kept', left);
    return left;
  }

  /** All that a power loss at this moment may leave, without what is the same. */
  *losses(contents: readonly Contents[] = CONTENTS): Generator<{ how: string; left: Left }> {
    for (const names of ['kept', 'lost'] as const) {
      for (const content of contents) {
        const left: Left = new Map();
        gather(this.#root, '', names, content, left);
        yield { how: `names ${names}, contents ${content}`, left };
      }
    }
  }

  #open(path: string, truncate: boolean): void {
    const node = this.get(path);
    if (node && node.kind !== 'file') return;
    if (!node) {
      this.#put(path, fileOf(Buffer.alloc(0), 0o644));
      return;
    }
    node.position = 0;
    if (truncate && node.now.bytes.length > 0) change(node, { length: 0 });
  }

  #sync(path: string): void {
    const node = this.#need(path);
    if (node.kind === 'folder') node.safe = new Map(node.now);
    if (node.kind !== 'file' || node.pending.length === 0) return;
    node.safe = node.now.copy();
    node.pending = [];
  }

  #need(path: string): Node {
    const node = this.get(path);
    if (!node) throw new Error(`the trace names ${path}, which is not there`);
    return node;
  }

  #folder(path: string): Folder {
    const node = this.#need(path === '.' ? '' : path);
    if (node.kind !== 'folder') throw new Error(`${path} is a ${node.kind}`);
    return node;
  }

  #put(path: string, node: Node): void {
    this.#folder(dirname(path)).now.set(path.slice(path.lastIndexOf('/') + 1), node);
  }

  #drop(path: string): void {
    this.#folder(dirname(path)).now.delete(path.slice(path.lastIndexOf('/') + 1));
  }
}

export function digest(left: Left): string {
  const hash = createHash('sha256');
  for (const [path, what] of [...left].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`\0${path}\0`);
    if (what) hash.update('target' in what ? `-> ${what.target}` : what.bytes);
  }
  return hash.digest('hex');
}

/** Makes a real folder of what was left. */
export function restore(left: Left, root: string): void {
  mkdirSync(root, { recursive: true });
  for (const [path, what] of left) {
    if (!what) mkdirSync(join(root, path), { recursive: true });
    else if ('target' in what) symlinkSync(what.target, join(root, path));
    else writeFileSync(join(root, path), what.bytes, { mode: what.mode });
  }
}

function read(path: string): Node {
  const about = lstatSync(path);
  if (about.isSymbolicLink()) return { kind: 'link', target: readlinkSync(path) };
  if (about.isDirectory()) {
    const now = new Map(readdirSync(path).map((name) => [name, read(join(path, name))]));
    return { kind: 'folder', now, safe: new Map(now) };
  }
  return fileOf(readFileSync(path), about.mode & 0o777);
}

function fileOf(bytes: Buffer, mode: number): File {
  const now = new Content(bytes);
  return { kind: 'file', now, safe: now.copy(), pending: [], position: 0, mode };
}

function change(file: File, what: Change): void {
  file.now.apply(what);
  file.pending.push(what);
}

/** Bytes that grow in place. */
class Content {
  #held: Buffer;
  #length: number;

  constructor(bytes: Buffer) {
    this.#held = Buffer.from(bytes);
    this.#length = bytes.length;
  }

  get bytes(): Buffer {
    return this.#held.subarray(0, this.#length);
  }

  copy(): Content {
    return new Content(this.bytes);
  }

  apply(what: Change): void {
    const end = 'length' in what ? what.length : Math.max(this.#length, what.at + what.bytes.length);
    if (end > this.#held.length) {
      const wider = Buffer.alloc(end * 2);
      this.bytes.copy(wider);
      this.#held = wider;
    }
    if (end < this.#length) this.#held.fill(0, end);
    this.#length = end;
    if ('bytes' in what) what.bytes.copy(this.#held, what.at);
  }
}

function contentOf(file: File, how: Contents): Buffer {
  const { pending, safe } = file;
  if (how === 'kept' || pending.length === 0) return file.now.bytes;
  if (how === 'lost') return safe.bytes;
  const last = pending.at(-1)!;
  const wanted = (one: Change, index: number): Buffer | undefined => {
    if ('length' in one) return undefined;
    const zeroes = Buffer.alloc(one.bytes.length);
    if (how === 'only last') return one === last ? one.bytes : zeroes;
    if (how === 'all but first') return index === 0 ? zeroes : one.bytes;
    if (how === 'last torn' && one !== last) return one.bytes;
    if (how === 'last torn') one.bytes.copy(zeroes, 0, 0, one.bytes.length >> 1);
    return zeroes;
  };
  const content = safe.copy();
  for (const [index, one] of pending.entries()) {
    content.apply('length' in one ? one : { at: one.at, bytes: wanted(one, index)! });
  }
  return content.bytes;
}

function gather(folder: Folder, at: string, names: 'kept' | 'lost', content: Contents, left: Left): void {
  for (const [name, node] of names === 'kept' ? folder.now : folder.safe) {
    const path = at === '' ? name : `${at}/${name}`;
    if (node.kind === 'link') left.set(path, { target: node.target });
    else if (node.kind === 'file') left.set(path, { bytes: contentOf(node, content), mode: node.mode });
    else {
      left.set(path, null);
      gather(node, path, names, content, left);
    }
  }
}

function unsafeIn(node: Node, path: string): string[] {
  if (node.kind === 'link') return [];
  if (node.kind === 'file') return node.pending.length > 0 ? [`the content of ${path}`] : [];
  const found: string[] = [];
  for (const name of new Set([...node.now.keys(), ...node.safe.keys()])) {
    const below = path === '' ? name : `${path}/${name}`;
    if (node.now.get(name) !== node.safe.get(name)) found.push(`the name ${below}`);
    const child = node.now.get(name);
    if (child) found.push(...unsafeIn(child, below));
  }
  return found;
}
