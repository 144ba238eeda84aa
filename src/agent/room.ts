import type { Broker } from '../lib/broker.ts';
import type { AgentConfig } from '../lib/config.ts';
import type { Home } from '../lib/home.ts';
import type { LogLine } from '../lib/log-lines.ts';
import type { Logger } from '../lib/logs.ts';
import type { Call } from '../lib/sender.ts';
import type { Journal } from './journal.ts';
import type { Trust } from './trust.ts';

/** What every room of the agent stands on; made once, at the start. */
export type Room = {
  readonly config: AgentConfig;
  readonly home: Home;
  readonly host: string;
  /** The release that this process is. */
  readonly version: string;
  /** This process, as the dispatcher's probe names it. */
  readonly boot: string;
  readonly broker: Broker;
  readonly journal: Journal;
  readonly logger: Logger;
  /** Brings a log line to the dispatcher; returns at once. */
  ship(line: LogLine): void;
  readonly call: Call;
  /** Whose orders and answers are believed, and which packages. */
  readonly trust: Pick<Trust, 'keyOf' | 'targets'>;
  /** The dispatcher's clock less ours, in ms; 0 until it was heard. */
  clockOffsetMs(): number;
  /** Ends this process so that the loader starts what `current` names now. */
  restart(): void;
  /** How many tasks of the lane for scripts are under way. */
  scriptsRunning(): number;
};
