import { writeSync } from 'node:fs';
import { Journal } from '../../../src/agent/journal.ts';
import { idOf, orderOf } from './orders.ts';

/** Accepts orders, from number `first` on, until it is killed; tells each once it is written down. */
const [path = '', first = '1'] = process.argv.slice(2);
const journal = new Journal(path, 'db-01', '1.0.0');
for (let n = Number(first); ; n++) {
  journal.accept(orderOf(n));
  writeSync(1, `${idOf(n)}\n`);
}
