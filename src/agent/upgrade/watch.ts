import { z } from 'zod';
import { describe, MegaError } from '../../lib/errors.ts';
import { encode, type Order, type Proof } from '../../lib/messages.ts';
import { EXCHANGE, upKey } from '../../lib/topology.ts';
import { sleep, uuidv7 } from '../../lib/utils.ts';
import { sayHello } from '../hello.ts';
import type { Room } from '../room.ts';

const ASK_AGAIN_MS = 3_000;
const probeArgs = z.object({ nonce: z.string().max(64), boot: z.uuid() });

/**
 * The probes that the dispatcher sends through this host's own queue, and whoever waits for one. A probe for
 * another boot is a dead process' mail.
 */
export class Probes {
  #waiting = new Map<string, (nonce: string) => void>();
  /** A probe may be here before the hello that asked for it is answered; its nonce holds for this boot. */
  #early = new Map<string, string>();
  #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  deliver(order: Order): void {
    const probe = probeArgs.safeParse(order.args);
    if (!probe.success || probe.data.boot !== this.#room.boot) return;
    this.#early.set(order.task, probe.data.nonce);
    this.#waiting.get(order.task)?.(probe.data.nonce);
  }

  /** The next probe of a task; undefined when none came within `ms`. */
  next(task: string, ms: number, signal: AbortSignal): Promise<string | undefined> {
    const early = this.#early.get(task);
    if (early !== undefined) return Promise.resolve(early);
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#waiting.set(task, resolve);
    const late = sleep(ms, signal).then(() => undefined);
    return Promise.race([promise, late]).finally(() => this.#waiting.delete(task));
  }
}

/**
 * The new process on trial: says hello, is probed, answers, and is believed once the broker has confirmed the
 * answer. It tries for as long as it may; when its time is up is the loader's affair, not its own. What keeps it
 * from the broker it writes down, for the one that judges after it.
 */
export async function proveOurselves(
  room: Room,
  probes: Probes,
  task: string,
  signal: AbortSignal,
): Promise<Proof> {
  let noted: string | undefined;
  const note = (unreachable: string) => {
    if (noted === unreachable) return;
    try {
      room.journal.remember(task, { unreachable });
      noted = unreachable;
    } catch (error) {
      room.logger.warn(
        { task, error: describe(error) },
        'what keeps us from the broker was not written down',
      );
    }
  };
  const trouble = (text: string) => note(text);
  room.broker.on('trouble', trouble);
  try {
    for (;;) {
      signal.throwIfAborted();
      await room.broker.ready(undefined, signal);
      const nonce = await beProbed(room, probes, task, signal, note);
      if (nonce === undefined) continue;
      const proof = { nonce, boot: room.boot, version: room.version };
      if (await answer(room, task, proof)) return proof;
    }
  } finally {
    room.broker.off('trouble', trouble);
  }
}

async function beProbed(
  room: Room,
  probes: Probes,
  task: string,
  signal: AbortSignal,
  note: (text: string) => void,
) {
  const probe = probes.next(task, ASK_AGAIN_MS, signal);
  probe.catch(() => undefined);
  try {
    const { probed } = await sayHello(room, task);
    if (!probed) throw new MegaError('not_on_trial', 'the dispatcher knows of no such upgrade of this host');
    note('');
  } catch (error) {
    note(describe(error));
    room.logger.warn({ task, error: describe(error) }, 'on trial, and not probed yet');
  }
  return probe;
}

async function answer(room: Room, task: string, proof: Proof): Promise<boolean> {
  const body = encode({ kind: 'answer', task, host: room.host, proof });
  const address = {
    exchange: EXCHANGE.up,
    key: upKey('event', room.host),
    type: 'answer',
    messageId: uuidv7(),
  };
  try {
    return (await room.broker.publish({ ...address, body, mandatory: true })) === 'confirmed';
  } catch (error) {
    room.logger.warn({ task, error: describe(error) }, 'the answer to the probe was not confirmed');
    return false;
  }
}
