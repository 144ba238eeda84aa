import { z } from 'zod';
import { codeOf, describe } from '../lib/errors.ts';
import { check, encode } from '../lib/messages.ts';
import { EXCHANGE, upKey } from '../lib/topology.ts';
import { platform, sleep, uuidv7 } from '../lib/utils.ts';
import { forgetGreeting, rememberGreeting } from './greeted.ts';
import { heldBecause } from './hold.ts';
import type { Room } from './room.ts';

const ANSWER_MS = 10_000;
const RETRY_MS = 3_000;
const SOON_MS = 50;

const answered = z.object({ time: z.number(), probed: z.boolean(), steadyMs: z.number() });
export type Answered = z.infer<typeof answered>;

/** Says hello and returns the dispatcher's signed answer; with `trial`, asks for the probe of that upgrade. */
export async function sayHello(room: Room, trial?: string): Promise<Answered> {
  const { boot, version } = room;
  const args = { boot, version, platform: platform(), ...(trial ? { trial } : {}) };
  const options = { timeoutMs: ANSWER_MS, signedBy: room.trust.keyOf };
  const held = heldBecause(room.home);
  const say = (what: object) => room.call('client_ping', what, options);
  if (held === undefined) return check(answered, await say(args));
  // A dispatcher that knows nothing of holds takes no hello with one; what it orders is refused here.
  const answer = await say({ ...args, held }).catch((error: unknown) => {
    if (codeOf(error) === 'bad_argument') return say(args);
    throw error;
  });
  return check(answered, answer);
}

/**
 * Says hello after every connect until it was answered, and beats in between. The answer's clock is how far ours
 * is off: half of the way there and back counts as the way back.
 */
export class Hello {
  /** The dispatcher's clock less ours, in ms. */
  clockOffsetMs = 0;
  #room: Room;
  #reads: () => boolean;
  #stop = new AbortController();
  #beating: NodeJS.Timeout;
  #greeting: Promise<void> | undefined;

  /** `reads`: whether this process reads the host's queue. One that may not, a clone, must not speak for the host. */
  constructor(room: Room, reads: () => boolean) {
    this.#room = room;
    this.#reads = reads;
    this.#sign(forgetGreeting);
    room.broker.on('connected', () => this.greet());
    if (room.broker.connected) this.greet();
    this.#beating = setInterval(() => this.#beat(), room.config.heartbeatMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beating);
    this.#stop.abort(new Error('stopped'));
    await this.#greeting;
  }

  /** Says hello now, which also sets the clock anew. */
  greet(): void {
    this.#greeting ??= this.#untilAnswered().finally(() => {
      this.#greeting = undefined;
    });
  }

  async #untilAnswered(): Promise<void> {
    while (!this.#stop.signal.aborted && this.#room.broker.connected) {
      if (!this.#reads()) {
        await sleep(SOON_MS, this.#stop.signal).catch(() => undefined);
        continue;
      }
      try {
        const sent = Date.now();
        const { time } = await sayHello(this.#room);
        this.clockOffsetMs = Math.round(time - (sent + Date.now()) / 2);
        this.#room.logger.info({ clockOffsetMs: this.clockOffsetMs }, 'greeted by the dispatcher');
        this.#sign(rememberGreeting);
        return;
      } catch (error) {
        this.#room.logger.warn({ error: describe(error) }, 'no dispatcher has answered yet');
        await sleep(RETRY_MS * (0.5 + Math.random()), this.#stop.signal).catch(() => undefined);
      }
    }
  }

  /** A full disk must not keep a host from being heard. */
  #sign(how: (home: Room['home']) => void): void {
    try {
      how(this.#room.home);
    } catch (error) {
      this.#room.logger.warn({ error: describe(error) }, 'the sign of having been greeted cannot be changed');
    }
  }

  #beat(): void {
    const { broker, host, boot, version, home } = this.#room;
    if (!broker.connected || !this.#reads()) return;
    const held = heldBecause(home);
    const body = encode({ kind: 'heartbeat', host, boot, version, at: Date.now(), held });
    const address = {
      exchange: EXCHANGE.up,
      key: upKey('event', host),
      type: 'heartbeat',
      messageId: uuidv7(),
    };
    const expiresMs = 4 * this.#room.config.heartbeatMs;
    broker.publish({ ...address, body, transient: true, expiresMs }).catch(() => undefined); // the next one says as much
  }
}
