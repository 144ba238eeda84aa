import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../dev/servers/ports.ts';
import { startProcess, untilReady } from '../../dev/servers/process.ts';

const PROGRAM = '/usr/sbin/nginx';

/** Undefined where nginx is not installed. */
export type Nginx = AsyncDisposable & { url(file: string): string };

/** Serves `folder` on loopback, tuned as one does for static files. */
export async function startNginx(folder: string, workers: number): Promise<Nginx | undefined> {
  if (!existsSync(PROGRAM)) return undefined;
  const [port] = await freePorts(1);
  const place = join(folder, 'nginx');
  mkdirSync(place);
  const config = join(place, 'nginx.conf');
  const logFile = join(place, 'server.log');
  writeFileSync(config, configuration(place, folder, port!, workers));
  const server = await startProcess({
    command: PROGRAM,
    args: ['-p', place, '-c', config, '-e', logFile, '-g', 'daemon off;'],
    env: { PATH: '/usr/sbin:/usr/bin:/bin', MEGA_SERVER_FOLDER: folder },
    cwd: place,
    logFile,
  });
  const url = (file: string) => `http://127.0.0.1:${port}/${file}`;
  const isReady = () =>
    fetch(url(''))
      .then(() => true)
      .catch(() => false);
  await untilReady({ what: 'nginx', processes: [server], logFile, isReady });
  return { url, [Symbol.asyncDispose]: () => server.killAll() };
}

function configuration(place: string, folder: string, port: number, workers: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return [
    // Its workers would otherwise be a user who cannot read our folder.
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    `worker_processes ${workers};`,
    `pid ${place}/nginx.pid;`,
    'events { worker_connections 4096; }',
    'http {',
    ...temporary.map((what) => `  ${what}_temp_path ${place}/${what};`),
    '  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;',
    `  server { listen 127.0.0.1:${port} backlog=4096; root ${folder}; }`,
    '}',
    '',
  ].join('\n');
}
