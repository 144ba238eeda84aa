import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENS = '0A';

/** The TCP ports on which a process listens; undefined when we may not see its open files. */
export function listening(pid: number): number[] | undefined {
  try {
    const sockets = socketsOf(pid);
    const tables = ['tcp', 'tcp6'].map((name) => readFileSync(`/proc/${pid}/net/${name}`, 'utf8'));
    const ports = tables.flatMap(portsIn).filter(({ inode }) => sockets.has(inode));
    return [...new Set(ports.map((one) => one.port))].toSorted((a, b) => a - b);
  } catch {
    return undefined;
  }
}

function socketsOf(pid: number): Set<string> {
  const folder = `/proc/${pid}/fd`;
  const links = readdirSync(folder).map((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.slice(1) ?? []));
}

/** Of a table such as /proc/net/tcp: a line for each socket, with its address, state and inode. */
export function portsIn(table: string): { port: number; inode: string }[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTENS)
    .map((fields) => ({ port: Number.parseInt(fields[1]!.split(':')[1]!, 16), inode: fields[9]! }));
}
