import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MegaError } from '../../lib/errors.ts';
import type { Home } from '../../lib/home.ts';

const LIMIT_MS = 30_000;

type Failed = ExecFileException & { stderr?: string; syscall?: string };

/**
 * Lets a release that is unpacked show that it starts at all, on the runtime that it names. Error:
 * `self_test_failed`, in the words of whoever knows why: the release, its runtime, or the system.
 */
export async function selfTest(home: Home, version: string, signal: AbortSignal): Promise<void> {
  const folder = home.release(version);
  const node = join(folder, 'runtime', 'bin', 'node');
  const options = { timeout: LIMIT_MS, signal, cwd: home.root, killSignal: 'SIGKILL' as const };
  try {
    const args = [join(folder, 'agent.mjs'), 'self-test', '--home', home.root];
    await promisify(execFile)(node, args, options);
  } catch (error) {
    signal.throwIfAborted();
    const words = wordsOf(error as Failed, node);
    throw new MegaError('self_test_failed', `${version} does not pass its own self-test: ${words}`);
  }
}

function wordsOf(error: Failed, node: string): string {
  if (error.syscall?.startsWith('spawn')) return whyNotStarted(String(error.code), node);
  const lines = (error.stderr ?? '').split('\n').map((line) => line.trim());
  const said = lines.find((line) => /error/i.test(line) && !line.startsWith('throw')) ?? lines.find(Boolean);
  if (error.killed) return `it did not end within ${LIMIT_MS / 1000} s`;
  const ended = error.signal ? `it was ended by ${error.signal}` : `it ended with exit code ${error.code}`;
  return said ?? `${ended} and said nothing`;
}

/** The system says ENOENT, too, of a program that is there when what is to load it is not. */
function whyNotStarted(code: string, node: string): string {
  if (code === 'ENOENT' && existsSync(node)) {
    return `its runtime cannot be started: the loader (libc) that ${node} asks for is not on this host`;
  }
  if (code === 'EACCES') return `its runtime may not be executed (EACCES): is ${node} on a noexec mount?`;
  return `its runtime cannot be started (${code}): ${node}`;
}
