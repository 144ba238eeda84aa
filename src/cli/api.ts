import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { InputError } from '../lib/errors.ts';
import type { ApiFunction } from './answers.ts';
import { argumentsOf } from './api/schema.ts';
import { functionText } from './api/show.ts';
import { EXIT } from './exit.ts';
import { withSender } from './session.ts';
import { printJson } from './table.ts';
import { wrap } from './text.ts';
import { act, example, JSON_FLAG, type Room } from './world.ts';

/** `mega api`: every function of the dispatcher, whether it has a command of its own or not. */
export function addApi(program: Command, room: Room): void {
  const api = program.command('api').description('the functions of the dispatcher, called by name');
  example(api, 'mega api list', 'mega api show get_server', 'mega api call get_all_task \'{"limit": 5}\'');

  const list = api
    .command('list')
    .description('list the functions that you may call')
    .option(...JSON_FLAG);
  list.action(
    act<{ json?: true }>(room, async (options) => {
      const all = await withSender(options, (call) => call<ApiFunction[]>('get_all_funcs'));
      if (options.json) printJson(room.out, all);
      else for (const one of all) room.out.write(`${signature(one)}\n${wrap(one.help, 80, 4)}\n`);
      return EXIT.good;
    }),
  );
  example(list, 'mega api list');

  const show = api
    .command('show <fn>')
    .description('show a function: what it takes, with defaults, and what it answers')
    .option(...JSON_FLAG);
  show.action(
    act<{ json?: true }>(room, async (options, name) => {
      const all = await withSender(options, (call) => call<ApiFunction[]>('get_all_funcs'));
      const one = all.find((each) => each.name === name);
      if (!one)
        throw new InputError(
          'unknown_function',
          `no function "${name}" that you may call; mega api list names all`,
        );
      if (options.json) printJson(room.out, one);
      else room.out.write(functionText(one));
      return EXIT.good;
    }),
  );
  example(show, 'mega api show get_server');

  const call = api
    .command('call <fn> [json]')
    .description('call a function with a JSON object ("-": from stdin); its answer is JSON')
    .option(...JSON_FLAG);
  call.action(
    act(room, async (options, name, given = '{}') => {
      const args = parse(given === '-' ? await readAll(process.stdin) : given);
      printJson(room.out, (await withSender(options, (call) => call(name!, args))) ?? null);
      return EXIT.good;
    }),
  );
  example(call, 'mega api call get_server \'{"host": "db-01"}\'');
}

/** `get_all_job(limit = 20)` */
function signature({ name, input }: ApiFunction): string {
  const each = argumentsOf(input).map((one) => {
    if (one.required) return one.name;
    return one.default === '' ? `${one.name}?` : `${one.name} = ${one.default}`;
  });
  return `${name}(${each.join(', ')})`;
}

function parse(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError('bad_argument', 'the arguments are not JSON', { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new InputError('bad_argument', 'the arguments must be a JSON object such as {"limit": 5}');
}
