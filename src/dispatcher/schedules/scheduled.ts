import { InputError, MegaError } from '../../lib/errors.ts';
import { check } from '../../lib/messages.ts';
import type { Caller, Fn } from '../api/function.ts';

/**
 * What a schedule is to call, looked at before it is saved: a mistake is to be told now, and not at night. Errors:
 * `bad_argument`, `unknown_function`, `refused`.
 */
export function checkScheduled(
  functions: ReadonlyMap<string, Fn>,
  name: string,
  args: Record<string, unknown>,
  caller: Caller,
): Fn {
  const found = functions.get(name);
  if (!found?.makesJob)
    throw new InputError('unknown_function', `${name} makes no job; ${makers(functions)} do`);
  if (!found.callers.includes(caller.role))
    throw new MegaError(
      'refused',
      `${caller.id} calls as ${caller.role}; ${name} is for: ${found.callers.join(', ')}`,
    );
  check(found.input.strict(), args);
  if (args.on === undefined) throw new InputError('bad_argument', 'args.on: name the hosts, or "all"');
  return found;
}

function makers(functions: ReadonlyMap<string, Fn>): string {
  return [...functions.values()]
    .filter((one) => one.makesJob)
    .map((one) => one.name)
    .join(', ');
}
