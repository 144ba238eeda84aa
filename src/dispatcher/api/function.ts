import type { z } from 'zod';
import type { Context } from '../context.ts';

/**
 * Who calls: a host; a machine that joins, which may do nothing else; or a person or script, by what they may do.
 */
export type Role = 'agent' | 'joiner' | 'viewer' | 'operator' | 'admin';
export type Caller = {
  role: Role;
  /** The broker user, which is the host's id for an agent. */
  id: string;
  /** The call's idempotency key. */
  key: string;
};

/**
 * What a call does besides answering. Who changes something is written down in the audit; `part` is a step of a change
 * whose beginning and end are functions of their own, and written down there.
 */
export type Effect = 'reads' | 'changes' | 'part';

/** One function of the dispatcher, declared once: all that RPC, HTTP and the documentation need to know of it. */
export type Fn<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> = {
  name: string;
  help: string;
  callers: readonly Role[];
  effect: Effect;
  input: I;
  output: O;
  /** It makes a job, which its answer names, of the hosts that `on` means: a schedule may call it. */
  makesJob?: boolean;
  /** Its answer is signed: what hosts must be able to believe. */
  signed?: boolean;
  handler: (context: Room, input: z.infer<I>, caller: Caller) => Promise<z.infer<O>>;
};

/** What handlers stand on. */
export type Room = Context & {
  /** There are new orders to publish. */
  kick(): void;
  /** For how long this dispatcher has been reading what hosts say, without a break. */
  steadyMs(): number;
};

/** Keeps the types of input and output together while the registry forgets them. */
export function fn<I extends z.ZodObject, O extends z.ZodType>(declaration: Fn<I, O>): Fn {
  return declaration as unknown as Fn;
}

export const AGENT = ['agent'] as const;
export const JOINER = ['joiner'] as const;
export const ADMIN = ['admin'] as const;
/** Whoever may change something. */
export const OPERATOR = ['operator', ...ADMIN] as const;
/** Whoever may look. */
export const VIEWER = ['viewer', ...OPERATOR] as const;
export const ANYONE = [...AGENT, ...VIEWER] as const;
