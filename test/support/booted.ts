import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../dev/world/until.ts';
import { type Outcome, outcomeOf } from './install.ts';

/**
 * A machine of its own that real systemd has booted: namespaces, and over this machine's files a layer in memory that
 * takes all that is written. The network is this machine's. Of the kernel's settings nothing can be changed, and none of
 * systemd's own services runs.
 */
const BOOT = `set -e
mount -t tmpfs none "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cd root
mount -t proc proc proc
mount -o bind,ro proc/sys proc/sys
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs none run
mount -t tmpfs none dev
for name in null zero full random urandom tty; do
  touch "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
mkdir dev/pts dev/shm dev/mqueue dev/hugepages
mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs none dev/shm
mount -t mqueue none dev/mqueue
rm -rf etc/systemd/system etc/init.d/mega_client home/xdba var/log/mega lib/systemd/system/*.wants usr/lib/systemd/system/*.wants
mkdir -p etc/systemd/system home
rm -f lib/systemd/system/systemd-remount-fs.service lib/systemd/system/tmp.mount
for name in tmpfiles-clean.timer udevd.service logind.service; do ln -s /dev/null "etc/systemd/system/systemd-$name"; done
exec chroot . /usr/bin/env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target
`;

export function cannotBoot(): string | false {
  if (process.getuid?.() !== 0) return 'booting a machine needs root';
  if (!fs.existsSync('/lib/systemd/systemd')) return 'systemd is not here';
  if (cgroups() === undefined) return 'there is no second version of cgroups here';
  const probe =
    'd=$(mktemp -d) && mount -t tmpfs none "$d" && cd "$d" && mkdir u w r && mount -t overlay o -o lowerdir=/,upperdir=u,workdir=w r';
  const tried = spawnSync('unshare', [
    '-m',
    '-p',
    '-f',
    '-C',
    'sh',
    '-c',
    `${probe}; code=$?; cd /; umount -l "$d"; rmdir "$d"; exit $code`,
  ]);
  return tried.status !== 0 && `this machine gives us no namespaces: ${tried.stderr}`;
}

const cgroups = () => /^\S+ (\S+) cgroup2 /m.exec(fs.readFileSync('/proc/mounts', 'utf8'))?.[1];

export class BootedMachine implements AsyncDisposable {
  #folder: string;
  #cgroup: string;
  #process: ChildProcess;
  #init = 0;

  private constructor() {
    this.#folder = fs.mkdtempSync(join(tmpdir(), 'mega-booted-'));
    this.#cgroup = fs.mkdtempSync(join(cgroups()!, 'mega-test-'));
    const script =
      'echo $$ >"$1/cgroup.procs"; shift; exec unshare -m -p -f -u -i -C --kill-child sh -c "$@"';
    const args = ['-c', script, 'sh', this.#cgroup, BOOT, 'sh', this.#folder];
    const log = fs.openSync(`${this.#folder}.log`, 'w');
    this.#process = spawn('sh', args, { stdio: ['ignore', log, log] });
    fs.closeSync(log);
  }

  static async boot(): Promise<BootedMachine> {
    const machine = new BootedMachine();
    try {
      await until('systemd to be up', async () => {
        if (machine.#process.exitCode !== null) throw new Error(`it does not boot: ${machine.#log()}`);
        const children = `/proc/${machine.#process.pid}/task/${machine.#process.pid}/children`;
        machine.#init = Number(fs.readFileSync(children, 'utf8').trim()) || 0;
        if (!machine.#init) return false;
        const state = await machine.run('systemctl is-system-running');
        return /running|degraded/.test(state.output);
      });
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  #log(): string {
    return fs.readFileSync(`${this.#folder}.log`, 'utf8');
  }

  /** Runs a line of sh in there, as root. */
  run(script: string, input = ''): Promise<Outcome> {
    const enter = ['-t', String(this.#init), '-m', '-p', '-u', '-i', '-C', '-r', '-w'];
    const child = spawn('nsenter', [...enter, 'sh', '-c', script], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // what is killed in there must not be of our group
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    return outcomeOf(child);
  }

  /** The same, where it must go well. */
  async out(script: string): Promise<string> {
    const { code, output } = await this.run(script);
    if (code !== 0) throw new Error(`exit ${code} of ${script}: ${output}`);
    return output.trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await until('its cgroup to be empty', () => {
      return /^populated 0$/m.test(fs.readFileSync(join(this.#cgroup, 'cgroup.events'), 'utf8'));
    });
    execFileSync('find', [this.#cgroup, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+']);
    fs.rmdirSync(this.#folder);
    fs.rmSync(`${this.#folder}.log`);
  }
}
