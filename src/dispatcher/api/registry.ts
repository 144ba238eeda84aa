import { z } from 'zod';
import { codeOf, MegaError } from '../../lib/errors.ts';
import { type Call, check } from '../../lib/messages.ts';
import { type Audited, audited, auditRefusal } from '../audit.ts';
import { alertFunctions } from './alerts.ts';
import { apiTokenFunctions } from './api-tokens.ts';
import { auditFunctions } from './audit.ts';
import { callerOf, type Sender } from './callers.ts';
import { check_upgrade } from './check_upgrade.ts';
import { client_ping } from './client_ping.ts';
import { commandFunctions } from './commands.ts';
import { described, description } from './described.ts';
import { doctor } from './doctor.ts';
import { freezeFunctions } from './freeze.ts';
import { ANYONE, type Caller, type Fn, fn, type Room } from './function.ts';
import { holdFunctions } from './holds.ts';
import { hostFunctions } from './hosts.ts';
import { inventoryFunctions } from './inventory.ts';
import { jobControlFunctions } from './job-controls.ts';
import { jobFunctions } from './jobs.ts';
import { logFunctions } from './logs.ts';
import { metadataFunctions } from './metadata.ts';
import { packageFunctions } from './packages.ts';
import { quarantineFunctions } from './quarantine.ts';
import { scheduleFunctions } from './schedules.ts';
import { secretFunctions } from './secrets.ts';
import { taskFunctions } from './tasks.ts';
import { tokenFunctions } from './tokens.ts';
import { userFunctions } from './users.ts';
import { windowFunctions } from './windows.ts';

const get_all_funcs = fn({
  name: 'get_all_funcs',
  help: 'All functions that the caller may call: name, help, who else may, whether it changes something, and the schemas of its arguments (with defaults) and of its answer.',
  callers: ANYONE,
  effect: 'reads',
  input: z.object({}),
  output: z.array(description),
  handler: async (_room, _input, caller) =>
    [...functions.values()].filter((one) => one.callers.includes(caller.role)).map(described),
});

const all: Fn[] = [
  check_upgrade,
  client_ping,
  doctor,
  get_all_funcs,
  ...jobFunctions,
  ...commandFunctions,
  ...jobControlFunctions,
  ...freezeFunctions,
  ...hostFunctions,
  ...holdFunctions,
  ...inventoryFunctions,
  ...logFunctions,
  ...metadataFunctions,
  ...packageFunctions,
  ...quarantineFunctions,
  ...scheduleFunctions(() => functions),
  ...secretFunctions,
  ...taskFunctions,
  ...tokenFunctions,
  ...userFunctions,
  ...windowFunctions,
  ...apiTokenFunctions,
  ...auditFunctions,
  ...alertFunctions,
];

/** Every function of the dispatcher, by name. */
export const functions: ReadonlyMap<string, Fn> = new Map(
  all.toSorted((a, b) => a.name.localeCompare(b.name)).map((one) => [one.name, one]),
);

/**
 * Carries out one call; errors: `unknown_function`, `refused`, `bad_argument`, or the function's own. What people and
 * scripts change, and what they are refused, is written down; hosts say too much for that, and may do too little.
 */
export async function dispatch(room: Room, call: Call, sender: Sender): Promise<unknown> {
  const { caller, found } = await admit(room, call, sender);
  const carryOut = async () => found.handler(room, check(found.input.strict(), call.args), caller);
  if (found.effect !== 'changes' || caller.role === 'agent') return carryOut();
  return audited(room, about(call, sender, caller.role), carryOut);
}

async function admit(room: Room, call: Call, sender: Sender): Promise<{ caller: Caller; found: Fn }> {
  let role = 'unknown';
  try {
    const caller = await callerOf(room.people, sender);
    role = caller.role;
    return { caller, found: functionFor(call.fn, caller) };
  } catch (error) {
    const turnedAway = ['refused', 'unknown_function'].includes(codeOf(error));
    if (turnedAway && role !== 'agent') await auditRefusal(room, about(call, sender, role), error);
    throw error;
  }
}

function functionFor(name: string, caller: Caller): Fn {
  const found = functions.get(name);
  if (!found)
    throw new MegaError('unknown_function', `there is no function "${name}"; get_all_funcs names all`);
  if (found.callers.includes(caller.role)) return found;
  const may = found.callers.join(', ');
  throw new MegaError('refused', `${caller.id} calls as ${caller.role}; ${name} is for: ${may}`);
}

function about({ fn: name, args, from }: Call, { id }: Sender, role: string): Audited {
  return { who: id, role, origin: from, fn: name, args };
}
