import type { Command } from 'commander';
import type { Call } from '../lib/sender.ts';
import type { Diagnosis } from './answers.ts';
import { EXIT } from './exit.ts';
import { withSender } from './session.ts';
import { type Column, printJson, table, widthOf } from './table.ts';
import { count } from './text.ts';
import { act, example, JSON_FLAG, type Room } from './world.ts';

/** The broker's administration is slower than other answers: it tells of ten thousand hosts at once. */
const LOOK_MS = 60_000;

type Difference = Diagnosis['differences'][number];
const COLUMNS: Column<Difference>[] = [
  { title: 'WHAT', cell: (one) => one.subject },
  { title: 'PROBLEM', cell: (one) => one.problem, shrinks: true },
  { title: 'REMEDY', cell: (one) => (one.mended ? 'mended' : one.remedy), shrinks: true },
];

/** `mega doctor`: does the broker have what the database says, and nothing else? */
export function addDoctor(program: Command, room: Room): void {
  const doctor = program
    .command('doctor')
    .description("compare the broker's users, permissions, queues and bindings with the database")
    .option('--fix', 'mend what differs: make what is missing, remove what nobody knows')
    .option(...JSON_FLAG);
  doctor.action(
    act<{ fix?: true; json?: true }>(room, async (options) => {
      const found = await withSender(options, (call) => (options.fix ? mend(call) : look(call, false)));
      if (options.json) printJson(room.out, found);
      else {
        if (found.differences.length > 0) {
          room.out.write(table(found.differences, COLUMNS, widthOf(room.out)));
        }
        room.out.write(`${summaryOf(found)}\n`);
      }
      return found.found === found.mended ? EXIT.good : EXIT.failed;
    }),
  );
  example(doctor, 'mega doctor', 'mega doctor --fix --json');
}

const look = (call: Call, fix: boolean) => call<Diagnosis>('doctor', { fix }, { timeoutMs: LOOK_MS });

/** Each call mends for some seconds; the last one has found nothing more that it could mend. */
async function mend(call: Call): Promise<Diagnosis> {
  const mended: Difference[] = [];
  for (;;) {
    const now = await look(call, true);
    if (now.mended === 0) {
      const found = now.found + mended.length;
      return { ...now, found, mended: mended.length, differences: [...mended, ...now.differences] };
    }
    mended.push(...now.differences.filter((one) => one.mended));
  }
}

function summaryOf({ hosts, tokens, found, mended }: Diagnosis): string {
  const about = `${count(hosts, 'host')}, ${count(tokens, 'token')}`;
  if (found === 0) return `broker and database agree: ${about}`;
  return `${count(found, 'difference')}, ${mended} mended: ${about}`;
}
