import type { Limits } from '../lib/limits.ts';
import type { Schema } from './api/schema.ts';

/** What the dispatcher's functions answer, as far as the command line shows it; see `mega api list`. */
export type Host = {
  id: string;
  online: boolean;
  version: string | null;
  platform: string | null;
  registeredAt: string;
  lastSeenAt: string | null;
  labels: Record<string, string>;
  cutOffUntil: string | null;
  cutOffReason: string | null;
  hold: { by: string; reason: string; until: string | null } | null;
  ownerHold: string | null;
};

export type Job = {
  id: string;
  type: string;
  args: Record<string, unknown>;
  target: string;
  state: string;
  createdAt: string;
  createdBy: string;
  finishedAt: string | null;
};
/** A dispatcher of an earlier version does not answer what may be absent. */
export type JobWithCounts = Job & {
  counts: Record<string, number>;
  startedAt?: string | null;
  limits?: Limits | null;
  pausedReason?: string | null;
  errors?: number;
  errorKinds?: Record<string, number>;
  waitingFor?: WaitingFor | null;
  wave?: number;
  waves?: WaveCounts[];
};
export type WaitingFor = {
  what: 'approval' | 'pause' | 'window' | 'frozen' | 'hosts';
  until: string | null;
  text: string;
};
export type WaveCounts = {
  wave: number;
  hosts: number;
  counts: Record<string, number>;
  startedAt?: string | null;
  finishedAt?: string | null;
};

export type TaskEvent = {
  seq: number;
  state: string;
  phase: string | null;
  reason: string | null;
  agentMs: number;
  recordedAt?: string;
};
export type Task = {
  id: string;
  job: string;
  host: string;
  type: string;
  args: Record<string, unknown>;
  state: string;
  phase: string | null;
  reason: string | null;
  attempts: number;
  late: boolean;
  fromVersion: string | null;
  running: string | null;
  output: Record<string, unknown> | null;
  createdAt: string;
  queuedAt: string | null;
  acceptedAt: string | null;
  startedAt: string | null;
  heardAt: string | null;
  finishedAt: string | null;
  lastSeenAt?: string | null;
  online?: boolean;
  wave?: number;
  tries?: number;
  events: TaskEvent[];
};

export type Package = {
  name: string;
  kind: 'release' | 'runtime';
  version?: string;
  sha256: string;
  size: number;
  state: string;
  signed: boolean;
  createdAt: string;
  createdBy: string;
  quarantinedAt: string | null;
  quarantineReason: string | null;
};

export type JoinToken = {
  id: string;
  state: string;
  uses: number;
  used: number;
  labels: Record<string, string>;
  createdAt: string;
  createdBy: string;
  expiresAt: string;
};

export type Diagnosis = {
  hosts: number;
  tokens: number;
  found: number;
  mended: number;
  differences: { subject: string; problem: string; remedy: string; mended: boolean }[];
};

export type ApiFunction = {
  name: string;
  help: string;
  callers: string[];
  effect: string;
  input: Schema;
  output: Schema;
};

export type Me = { login: string; user: string; token: string | null; role: string };
export type User = { name: string; role: string; createdAt: string; createdBy: string };
export type ApiToken = {
  user: string;
  name: string;
  login: string;
  role: string;
  createdAt: string;
  createdBy: string;
  expiresAt: string;
};

export type AuditedCall = {
  id: number;
  at: string;
  who: string;
  role: string;
  from: { host?: string; user?: string; program?: string } | null;
  fn: string;
  args: Record<string, unknown> | null;
  target: string | null;
  job: string | null;
  hosts: number | null;
  outcome: string | null;
};
export type AuditLink = { id: number; sha256: string };
export type AuditCheck = {
  after: AuditLink;
  done: boolean;
  broken: { id: number; reason: string } | null;
};

export type Alert = {
  id: string;
  kind: string;
  about: string;
  text: string;
  raisedAt: string;
  mail: 'waiting' | 'sent' | 'given_up' | 'none';
  sentAt: string | null;
  mailError: string | null;
};
export type SentMail = { messageId: string; to: string[]; server: string };
export type DueTime = { at: string; local: string; note: string | null };
export type Firing = { dueAt: string; state: string; job: string | null; reason: string | null };
export type Schedule = {
  name: string;
  state: string;
  when: string;
  zone: string;
  fn: string;
  args: Record<string, unknown>;
  missed: 'skip' | 'run';
  graceMs: number | null;
  owner: string;
  createdAt: string;
  nextAt: string | null;
};
export type ListedSchedule = Schedule & { last: Firing | null };
export type ShownSchedule = Schedule & { notes: string[]; next: DueTime[]; firings: Firing[] };

export type MaintenanceWindow = {
  name: string;
  on: string[];
  open: string;
  zone: string;
  isOpen: boolean;
  changesAt: string | null;
  hosts: number;
  createdAt: string;
  createdBy: string;
};
