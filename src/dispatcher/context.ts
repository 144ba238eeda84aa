import type { KeyObject } from 'node:crypto';
import type { Broker } from '../lib/broker.ts';
import type { DispatcherConfig } from '../lib/config.ts';
import type { Conn } from '../lib/conn.ts';
import type { Logger } from '../lib/logs.ts';
import type { Management } from '../lib/management.ts';
import type { AuditBook } from './audit-book.ts';
import type { Confirmed } from './confirmed.ts';
import type { Endings } from './endings.ts';
import type { Floods } from './floods.ts';
import type { Greetings } from './greetings.ts';
import type { Driver } from './jobs/drive.ts';
import type { People } from './people.ts';
import type { Sightings } from './sightings.ts';
import type { MetadataFiles } from './trust/files.ts';

/** What every room of the dispatcher stands on; made once, in main. */
export type Context = {
  /** This process, as the owner of leases. */
  readonly id: string;
  readonly config: DispatcherConfig;
  readonly db: Conn;
  /** Two connections: an alarm of the broker blocks those that publish, and must not stop the acknowledging. */
  readonly publisher: Broker;
  readonly consumer: Broker;
  readonly management: Management;
  readonly logger: Logger;
  /** Signs orders, and what hosts are told; its public half is a signed target, or hosts obey none of it. */
  readonly orderKey: KeyObject;
  /** Who waits for the end of a job. */
  readonly endings: Endings;
  /** Jobs with waves or limits. */
  readonly driver: Driver;
  /** Orders that the broker has. */
  readonly confirmed: Confirmed;
  /** Which hosts were heard. */
  readonly sightings: Sightings;
  /** What is signed. */
  readonly metadata: MetadataFiles;
  /** What hosts say of themselves when they connect. */
  readonly greetings: Greetings;
  /** What people and scripts changed. */
  readonly auditBook: AuditBook;
  /** What people and scripts may do. */
  readonly people: People;
  /** Hosts that say too much. */
  readonly floods: Floods;
};
