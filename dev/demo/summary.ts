import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { clean, quoted } from '../../src/cli/text.ts';
import { formatDuration } from '../../src/lib/utils.ts';
import type { Figures } from './figures.ts';
import type { Versions } from './play.ts';
import { colour, type Show } from './show.ts';
import type { Page, Stage } from './stage.ts';

export function tellOutcome(show: Show, figures: Figures, faults: string[]): void {
  const { fleet, broken } = figures;
  show.title('Summary');
  show.say(
    `${fleet.succeeded} of ${fleet.hosts} hosts went from ${fleet.from} to ${fleet.to} in ${fleet.seconds} s.`,
  );
  const away = figures.hosts.map((one) => one.downtimeMs).filter((ms) => ms !== null);
  if (away.length > 0) {
    const [least, most] = [Math.min(...away), Math.max(...away)].map(formatDuration);
    const time = least === most ? least : `${least} to ${most}`;
    show.say(`Each was away for ${time}, from its old agent's last moment to its new one's proof.`);
  }
  for (const one of broken) {
    show.say(
      `${one.host} was sent ${one.to} and runs ${one.running}: ${clean(one.reason ?? 'no reason told')}.`,
    );
  }
  if (faults.length === 0) show.say(colour(show.stream, 'green', 'All as it should be.'));
  else show.say(colour(show.stream, 'red', ['Not as it should be:', ...faults.map(clean)].join('\n  ')));
}

/** `root`: the folder of this checkout. */
export function tellWhatNext(show: Show, stage: Stage, page: Page, versions: Versions, root: string): void {
  const { world, agents } = stage;
  const { from, to } = versions;
  const [agent] = agents.values();
  const dispatcherLog = readdirSync(world.folder).find((name) => /^dispatcher-.*\.log$/.test(name)) ?? '';
  show.title('All of it runs on, to look at and to play with');
  show.say(`RabbitMQ's page   ${page.url}  user ${page.user}  password ${page.password}`);
  show.say(`dispatcher's log  ${join(world.folder, dispatcherLog)}`);
  show.say(`a host's logs     ${join(agent!.home.root, 'log')}`);
  show.title('To try in another terminal');
  const lines = [
    `cd ${quoted(root)}`,
    `export MEGA_CONFIG=${quoted(world.operatorConfig)}`,
    `export MEGA_PASSPHRASE_FILE=${quoted(world.passphraseFile)}`,
    'bin/mega host list',
    'bin/mega ping --on all',
    `bin/mega upgrade --to ${from} --on all --allow-downgrade`,
    'bin/mega job list',
    'bin/mega keys show',
    'bin/mega --help',
    '# and as a host, which asks for its own upgrade:',
    `${quoted(agent!.home.loader)} upgrade --to ${to}`,
  ];
  for (const line of lines) show.say(`  ${line}`);
  show.say('\nCtrl-C ends all of it.');
}
