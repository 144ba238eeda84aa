import type { Command } from 'commander';
import type { SentMail } from './answers.ts';
import { EXIT } from './exit.ts';
import { callSurely, withSender } from './session.ts';
import { printJson } from './table.ts';
import { clean } from './text.ts';
import { act, collect, example, JSON_FLAG, type Room } from './world.ts';

/** A mail server may take its time. */
const TEST_MS = 30_000;

/** `mega mail`: do alerts arrive? */
export function addMail(program: Command, room: Room): void {
  const mail = program.command('mail').description('the mail by which the dispatchers tell alerts');
  example(mail, 'mega mail test');
  const test = mail
    .command('test')
    .description('have a dispatcher send a mail, and say what the mail server answered')
    .option(
      '--to <address>',
      'to this address instead of those that alerts go to; may be given again',
      collect,
    )
    .option(...JSON_FLAG);
  test.action(
    act<{ to?: string[]; json?: true }>(room, async ({ to, json, ...globals }) => {
      const sent = await withSender(globals, (call) =>
        callSurely<SentMail>(call, 'test_mail', { to }, TEST_MS),
      );
      if (json) printJson(room.out, sent);
      else room.out.write(`${clean(sent.server)} took a mail to ${clean(sent.to.join(', '))}\n`);
      return EXIT.good;
    }),
  );
  example(test, 'mega mail test', 'mega mail test --to me@example.org');
}
