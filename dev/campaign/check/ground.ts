import type { Evidence, HostEvidence } from '../evidence.ts';
import type { Violation } from '../violation.ts';

/** Each host runs what the database says, its link names and it answers itself; a bad version nowhere. */
export function checkVersions({ hosts, versions, answers, bad }: Evidence): Violation[] {
  return hosts.flatMap(({ host, current, journal }) => {
    const say = (rule: Violation['rule'], evidence: string): Violation => ({
      rule,
      host,
      task: '',
      evidence,
    });
    const found: Violation[] = [];
    const [base, answer] = [versions.get(host), answers.get(host)];
    if (base !== current || answer !== current) {
      found.push(say('version', `current names ${current}, the database ${base}, its last answer ${answer}`));
    }
    if (current === undefined || bad.includes(current))
      found.push(say('version', `runs ${current}, a bad version`));
    for (const { version, reason } of journal.skipped) {
      if (!bad.includes(version)) found.push(say('skip list', `names ${version}, a good version: ${reason}`));
    }
    return found;
  });
}

const IN_HOME = ['bin', 'current', 'etc', 'log', 'previous', 'releases', 'runtimes', 'state'];
const IN_BIN = ['mega_client'];
const IN_STATE = [
  ...['alive', 'downloads', 'greeted', 'identity.json', 'machine.key', 'scripts', 'spool', 'trust'],
  ...['journal.db', 'journal.db-wal', 'journal.db-shm'],
];

/** Nothing is left of upgrades: of those that succeeded, and still less of those that did not. */
export function checkDisk({ hosts }: Evidence): Violation[] {
  return hosts.flatMap((one) => {
    const found = [...leftOver(one)];
    const { unsent } = one.journal;
    if (unsent > 0) found.push(`${unsent} words in the outbox`);
    return found.map((evidence): Violation => ({ rule: 'left over', host: one.host, task: '', evidence }));
  });
}

function leftOver({ disk, current, previous }: HostEvidence): string[] {
  const rooms: [folder: string, found: string[], known: (string | undefined)[]][] = [
    ['.', disk.root, IN_HOME],
    ['bin', disk.bin, IN_BIN],
    ['releases', disk.releases, [current, previous]],
    ['runtimes', disk.runtimes, disk.named],
    ['state', disk.state, IN_STATE],
    ['state/downloads', disk.downloads, []],
  ];
  const strange = rooms.flatMap(([folder, found, known]) =>
    found.filter((name) => !known.includes(name)).map((name) => `${folder}/${name} is left over`),
  );
  const missing = [current, ...(previous === undefined ? [] : [previous])]
    .filter((version) => version === undefined || !disk.releases.includes(version))
    .map((version) => `releases/${version}, which a link names, is missing`);
  return [...strange, ...missing];
}

/** Nothing waits for anybody, and nothing was refused. */
export function checkQueues({ held, dead }: Evidence): Violation[] {
  const waiting = held.map(({ queue, messages }): Violation => {
    return {
      rule: 'queue',
      host: '',
      task: '',
      evidence: `${queue} holds ${messages ?? 'uncounted'} messages`,
    };
  });
  const refused = dead.map(({ reason, sender }): Violation => {
    return { rule: 'queue', host: sender, task: '', evidence: `was refused: ${reason}` };
  });
  return [...waiting, ...refused];
}

/** Restarting (75), asked to end (0, 143, TERM), the home in use (111), and killed, by us or by the loader. */
const DUE = ['exit 0', 'exit 75', 'exit 111', 'exit 143', 'signal TERM', 'signal KILL'];

/** Nobody fell by himself. */
export function checkFalls({ hosts, falls, bad }: Evidence): Violation[] {
  const found = falls.map(({ name, how }): Violation => {
    return { rule: 'fall', host: name, task: '', evidence: `ended by itself: ${how}` };
  });
  for (const { host, loader } of hosts) {
    let version = '';
    for (const word of loader) {
      if (word.did === 'start') version = word.version;
      if (word.did !== 'see the end' || bad.includes(version) || DUE.includes(word.how)) continue;
      found.push({ rule: 'fall', host, task: '', evidence: `an agent of ${version} ended with ${word.how}` });
    }
  }
  return found;
}
