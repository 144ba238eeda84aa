import type { Servers, startServers } from '../dev/servers.ts';

/** One thing that was measured. A figure without a ceiling or a peer of the same run is not worth much. */
export type Figure = {
  /** A sentence's subject: `ping of 200 agents`. */
  name: string;
  value: number;
  /** `tasks/s`, `ms`, `MB`, `us of CPU a task`, ... */
  unit: string;
  /** What it is compared with, measured in the same run: `value / ceiling.value` is the ratio that is shown. */
  ceiling?: { name: string; value: number };
  /** What was aimed at; `atMost` for times and sizes, `atLeast` for rates. In the figure's unit, or of the ratio. */
  aim?: { atMost?: number; atLeast?: number; of?: 'value' | 'ratio' };
  note?: string;
};

export type Stage = {
  /** Shortened for a quick look (fewer hosts, fewer rounds); the figures are then marked so. */
  quick: boolean;
  /** Inside `.mega`; removed at the end. */
  folder: string;
  /** Servers of this suite's own, ended with it. `tuned`: the broker runs with deploy/rabbitmq.conf. */
  servers(options: { tuned: boolean; database?: string[] }): ReturnType<typeof startServers>;
  /** Progress, on stderr. */
  log(line: string): void;
  signal: AbortSignal;
};

/** One room of `npm run bench`: `npm run bench -- <name>` runs it alone. Each is `suite` of suites/<name>.ts. */
export type Suite = {
  name: string;
  help: string;
  run(stage: Stage): Promise<Figure[]>;
};

export type { Servers };
