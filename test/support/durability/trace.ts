import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * What a process did to the files of a folder, in the order in which the kernel did it, read from `strace`. Paths
 * are relative to the folder, '' being itself. `say` is a line `mark ...` on stdout: what was told to others.
 */
export type Op =
  | { do: 'open'; path: string; create: boolean; truncate: boolean }
  | { do: 'write'; path: string; at: number | undefined; bytes: Buffer }
  | { do: 'seek'; path: string; at: number }
  | { do: 'truncate'; path: string; length: number }
  | { do: 'sync'; path: string }
  | { do: 'rename'; path: string; to: string }
  | { do: 'link'; path: string; target: string }
  | { do: 'mkdir'; path: string }
  | { do: 'unlink'; path: string }
  | { do: 'say'; text: string };

const CALLS =
  'open,openat,creat,write,writev,pwrite64,pwritev,pwritev2,sendfile,copy_file_range,fallocate,truncate,ftruncate,' +
  'lseek,fsync,fdatasync,rename,renameat,renameat2,symlink,symlinkat,link,linkat,unlink,unlinkat,rmdir,mkdir,' +
  'mkdirat,mmap';

/** Why no trace can be had here; undefined when it can. */
export function cannotTrace(): string | undefined {
  const { error, status, stderr } = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']);
  if (error) return 'strace is not installed';
  return status === 0 ? undefined : `strace may not trace here: ${String(stderr).trim().split('\n')[0]}`;
}

/** Runs a command to its end under strace. Error: what it printed, when `mark done` is not among it. */
export async function trace(root: string, command: string[]): Promise<Op[]> {
  const beside = mkdtempSync(join(tmpdir(), 'mega-trace-'));
  const file = join(beside, 'trace');
  try {
    const options = ['-f', '-y', '-xx', '-s', '4000000', '-e', `trace=${CALLS}`, '-o', file];
    const env = { ...process.env, UV_USE_IO_URING: '0' };
    const child = spawn('strace', [...options, ...command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes) => {
        printed += bytes;
      });
    }
    await new Promise((done) => child.once('close', done));
    const ops = read(readFileSync(file, 'latin1'), root);
    if (ops.some((op) => op.do === 'say' && op.text === 'done')) return ops;
    throw new Error(`the traced command did not get to its end:\n${printed}`);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

/** Reads the text that `strace -f -y -xx` wrote. */
export function read(text: string, root: string): Op[] {
  const ops: Op[] = [];
  const begun = new Map<string, { call: string; before: number }>();
  for (const line of text.split('\n')) {
    const found = /^(\d+) +(.*)$/.exec(line);
    if (!found) continue;
    const [, pid = '', rest = ''] = found;
    if (rest.endsWith('<unfinished ...>')) {
      begun.set(pid, { call: rest.slice(0, -'<unfinished ...>'.length).trimEnd(), before: ops.length });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const start = resumed ? begun.get(pid) : undefined;
    const op = opOf(start ? start.call + resumed![1] : rest, root);
    // A sync covers what was written before it began: no other change may have come between.
    if (op?.do === 'sync' && start && start.before !== ops.length)
      throw new Error(`not in order: ${op.path}`);
    if (op) ops.push(op);
  }
  return ops;
}

/** One finished call as an Op; undefined when it failed, or changed nothing of ours. */
function opOf(line: string, root: string): Op | undefined {
  const call = /^(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)/.exec(line);
  if (!call || call[3]!.startsWith('-')) return undefined;
  const [, name = '', args = '', result = ''] = call;
  const fds = [...args.matchAll(/(AT_FDCWD|\d+)<((?:\\x..)*)>(\(deleted\))?/g)];
  const strings = [...args.matchAll(/"((?:\\x..)*)"/g)].map((one) => unhex(one[1]!));
  const fdPath = fds[0] && !fds[0][3] ? inside(root, String(unhex(fds[0][2]!))) : undefined;
  const bytes = strings[0];
  if (/^(write|pwrite64)$/.test(name) && fdPath !== undefined && bytes) {
    const at = name === 'pwrite64' ? Number(/(\d+)$/.exec(args)![1]) : undefined;
    return { do: 'write', path: fdPath, at, bytes: bytes.subarray(0, Number(result)) };
  }
  if (name === 'write' && fds[0]?.[1] === '1') {
    const marked = /^mark (.*)\n$/.exec(String(bytes));
    return marked ? { do: 'say', text: marked[1]! } : undefined;
  }
  if (/^f(data)?sync$/.test(name)) return fdPath === undefined ? undefined : { do: 'sync', path: fdPath };
  if (name === 'lseek') {
    return fdPath === undefined ? undefined : { do: 'seek', path: fdPath, at: Number(result) };
  }
  if (name === 'ftruncate' && fdPath !== undefined) {
    return { do: 'truncate', path: fdPath, length: Number(/(\d+)$/.exec(args)![1]) };
  }
  if (name === 'mmap') {
    if (fdPath !== undefined && args.includes('MAP_SHARED') && args.includes('PROT_WRITE')) blind(line);
    return undefined;
  }
  if (NAMING.test(name)) {
    const folders = fds.map((one) => String(unhex(one[2]!)));
    return named(name, args, strings.map(String), folders, root);
  }
  // A change that the model cannot follow must not pass in silence.
  const ours = fdPath !== undefined || strings.some((one) => inside(root, String(one)) !== undefined);
  if (ours && CHANGING.test(name)) blind(line);
  return undefined;
}

const CHANGING = /^(writev|pwritev2?|sendfile|copy_file_range|fallocate|truncate|link|linkat)$/;
const NAMING = /^(open|openat|creat|rename|renameat2?|symlink(at)?|mkdir(at)?|unlink(at)?|rmdir)$/;

/** The calls that change names. */
function named(
  name: string,
  args: string,
  strings: string[],
  folders: string[],
  root: string,
): Op | undefined {
  const path = (index: number, folder = folders[index] ?? folders[0]) => {
    const text = strings[index] ?? '';
    if (!text.startsWith('/') && folder === undefined) throw new Error(`${name} of a relative path: ${text}`);
    return inside(root, resolve(folder ?? '/', text));
  };
  const first = path(0, /^symlink/.test(name) ? '/' : folders[0]);
  if (/^(open|openat|creat)$/.test(name)) {
    if (first === undefined || !/O_WRONLY|O_RDWR|O_CREAT/.test(args)) return undefined;
    return { do: 'open', path: first, create: /O_CREAT/.test(args), truncate: /O_TRUNC/.test(args) };
  }
  if (/^rename/.test(name)) {
    const to = path(1);
    if ((first === undefined) !== (to === undefined))
      throw new Error(`renamed across the border: ${strings}`);
    return first === undefined || to === undefined ? undefined : { do: 'rename', path: first, to };
  }
  if (/^symlink/.test(name)) {
    const place = path(1, folders[0]);
    return place === undefined ? undefined : { do: 'link', path: place, target: strings[0]! };
  }
  if (/^mkdir/.test(name)) return first === undefined ? undefined : { do: 'mkdir', path: first };
  if (/^(unlink|rmdir)/.test(name)) return first === undefined ? undefined : { do: 'unlink', path: first };
  return undefined;
}

function blind(line: string): never {
  throw new Error(`a change that this trace cannot follow: ${line.slice(0, 200)}`);
}

function inside(root: string, path: string): string | undefined {
  if (path === root) return '';
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined;
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex');
}
