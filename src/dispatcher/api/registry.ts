import { z } from 'zod';
import { MegaError } from '../../lib/errors.ts';
import { type Call, check } from '../../lib/messages.ts';
import { client_ping } from './client_ping.ts';
import { doctor } from './doctor.ts';
import { ANYONE, type Caller, type Fn, fn, type Room } from './function.ts';
import { hostFunctions } from './hosts.ts';
import { jobFunctions } from './jobs.ts';
import { metadataFunctions } from './metadata.ts';
import { packageFunctions } from './packages.ts';
import { secretFunctions } from './secrets.ts';
import { taskFunctions } from './tasks.ts';
import { tokenFunctions } from './tokens.ts';

const get_all_funcs = fn({
  name: 'get_all_funcs',
  help: 'All functions that the caller may call: name, help, and the schema of the arguments.',
  callers: ANYONE,
  input: z.object({}),
  output: z.array(
    z.object({ name: z.string(), help: z.string(), callers: z.array(z.string()), input: z.unknown() }),
  ),
  handler: async (_room, _input, caller) =>
    [...functions.values()]
      .filter((one) => one.callers.includes(caller.role))
      .map(({ name, help, callers, input }) => ({
        name,
        help,
        callers: [...callers],
        input: z.toJSONSchema(input, { io: 'input' }),
      })),
});

const all: Fn[] = [
  client_ping,
  doctor,
  get_all_funcs,
  ...jobFunctions,
  ...hostFunctions,
  ...metadataFunctions,
  ...packageFunctions,
  ...secretFunctions,
  ...taskFunctions,
  ...tokenFunctions,
];

/** Every function of the dispatcher, by name. */
export const functions: ReadonlyMap<string, Fn> = new Map(
  all.toSorted((a, b) => a.name.localeCompare(b.name)).map((one) => [one.name, one]),
);

/** Carries out one call; errors: `unknown_function`, `refused`, `bad_argument`, or the function's own. */
export async function dispatch(room: Room, { fn: name, args }: Call, caller: Caller): Promise<unknown> {
  const found = functions.get(name);
  if (!found)
    throw new MegaError('unknown_function', `there is no function "${name}"; get_all_funcs names all`);
  if (!found.callers.includes(caller.role)) {
    throw new MegaError('refused', `${name} may not be called as ${caller.role} (${caller.id})`);
  }
  const input = check(found.input.strict(), args);
  return found.handler(room, input, caller);
}
