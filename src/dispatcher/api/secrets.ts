import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { limitsWanted } from '../../lib/limits.ts';
import { schemas } from '../../lib/messages.ts';
import { unlessRemoved } from '../declare.ts';
import { startRotation } from '../jobs/alike.ts';
import { setSecret } from '../store/registered.ts';
import { AGENT, fn, OPERATOR } from './function.ts';
import { on } from './on.ts';

export const secretFunctions = [
  fn({
    name: 'set_secret',
    help: "A host exchanges its secret: it sends RabbitMQ's hash of the next one, which it has written down. From the answer on, the broker lets it in by that one alone; connections stay.",
    callers: AGENT,
    effect: 'changes',
    input: z.object({ passwordHash: schemas.passwordHash }),
    output: z.object({}),
    handler: async (room, { passwordHash }, caller) => {
      const known = await setSecret(room.db, caller.id, passwordHash); // first: mega doctor --fix makes it true
      if (known === 0) throw new InputError('unknown_host', `${caller.id} is no host of this fleet`);
      await room.management.putSecret(caller.id, passwordHash);
      await unlessRemoved(room, caller.id);
      return {};
    },
  }),
  fn({
    name: 'rotate_secret',
    help: 'Lets hosts exchange their secrets in the broker; those that are away do it when they come back.',
    callers: OPERATOR,
    effect: 'changes',
    makesJob: true,
    input: z.object({ on, limits: limitsWanted }),
    output: z.object({ job: z.string() }),
    handler: async (room, input, caller) => {
      const id = await startRotation(room, input, { by: caller.id, key: caller.key });
      room.kick();
      return { job: id };
    },
  }),
];
