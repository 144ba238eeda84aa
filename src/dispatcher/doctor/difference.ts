import type { BindingSpec } from '../../lib/topology.ts';

/** What mends a difference. */
export type Mend =
  | { do: 'declare' }
  | { do: 'provision_host'; host: string }
  | { do: 'provision_joiner'; token: string }
  | { do: 'adopt_secret'; host: string; passwordHash: string }
  | { do: 'remove_host'; host: string }
  | { do: 'remove_queue'; host: string }
  | { do: 'remove_joiner'; token: string }
  | { do: 'unbind'; binding: BindingSpec };
/** Without `mend` a person has to do what the remedy says. */
export type Difference = { subject: string; problem: string; remedy: string; mend?: Mend };

/** The remedy of all that need no person. */
export const FIX = 'mega doctor --fix';
