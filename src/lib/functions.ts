/**
 * The functions of the dispatcher as scripts see them. Made by `npm run docs` from src/dispatcher/api, which the library
 * may not import; test/reference.test.ts fails where this is not what is there.
 */
export type Functions = {
  /** Makes an API token of a user: a login for a script, which expires. Its secret stays with the caller. */
  add_api_token: {
    args: { user: string; name: string; role: "viewer" | "operator" | "admin"; ttlMs: number; passwordHash: string; secretSha256: string };
    answer: { user: string; name: string; login: string; role: "viewer" | "operator" | "admin"; createdAt: string; createdBy: string; expiresAt: string };
  };
  /** Registers a host: its queue and its broker user, with the hash of the secret that the host made itself. */
  add_server: {
    args: { host: string; passwordHash: string; machine?: string };
    answer: { host: string };
  };
  /** Adds a person or script with a broker login of its own; its secret stays with the caller, who sends only the hash that RabbitMQ keeps. */
  add_user: {
    args: { name: string; role: "viewer" | "operator" | "admin"; passwordHash: string };
    answer: { name: string; login: string };
  };
  /** Begins or resumes the upload of a package; answers which chunks are missing. */
  begin_package: {
    args: { manifest: { format: 1; name: "mega"; version: string; platforms: string[]; runtime: string; builtAt: string } | { format: 1; name: "runtime"; runtime: string; platform: string; builtAt: string }; sha256: string; size: number };
    answer: { state: string; chunkBytes: number; missing: number[] };
  };
  /** Cancels a task: at once when it was not sent, otherwise by asking its host, which may be past the point of no return. */
  cancel_task: {
    args: { id: string };
    answer: { state: string; host: string };
  };
  /** A host says that it is there, what it runs, and which upgrade it is on trial for; the answer carries the time. */
  client_ping: {
    args: { boot: string; version: string; platform: string; trial?: string };
    answer: { time: number; probed: boolean; steadyMs: number };
  };
  /** Upgrades hosts to a published version (without "to": the newest). Hosts that run a newer one go back only with "downgrade". An operator names the hosts; a host that calls it upgrades itself. */
  client_upgrade: {
    args: { to?: string; on?: string[]; trial?: { starts?: number; seconds?: number; hangSeconds?: number }; downgrade?: boolean };
    answer: { job: string; task?: string };
  };
  /** Makes a token that machines join with, of a secret that the caller has made: its SHA-256, and RabbitMQ's hash of the password made of it. "labels" are given to each host that joins by it. The answer's "root" is the SHA-256 of the root.json that hosts are to trust. */
  create_token: {
    args: { sha256: string; passwordHash: string; ttlMs: number; uses: number; labels?: Record<string, string> };
    answer: { id: string; state: "active" | "used_up" | "expired" | "revoked"; uses: number; used: number; labels: Record<string, string>; createdAt: string; createdBy: string; expiresAt: string; root: string };
  };
  /** Revokes an API token; connections of its login are closed. */
  del_api_token: {
    args: { user: string; name: string };
    answer: { login: string };
  };
  /** Removes a package for good, by the name that get_all_package tells; refused while an upgrade that needs it is open. */
  del_package: {
    args: { name: string };
    answer: { name: string; kind: "release" | "runtime"; version?: string; sha256: string; size: number };
  };
  /** Removes a host: its broker user and queue. Its tasks stay as history. */
  del_server: {
    args: { host: string };
    answer: { host: string };
  };
  /** Revokes a token: no machine joins by it any more. Hosts that have joined stay. */
  del_token: {
    args: { id: string };
    answer: { id: string; state: "active" | "used_up" | "expired" | "revoked"; uses: number; used: number; labels: Record<string, string>; createdAt: string; createdBy: string; expiresAt: string };
  };
  /** Removes a user and all their API tokens; connections of theirs are closed. */
  del_user: {
    args: { name: string };
    answer: { name: string };
  };
  /** Compares users, permissions, limits, queues and bindings of the broker with the hosts and tokens of the database. With "fix" it mends what it can in a few seconds: call it again until "mended" is 0. It tells of 1000 differences at most. */
  doctor: {
    args: { fix?: boolean };
    answer: { hosts: number; tokens: number; found: number; mended: number; differences: { subject: string; problem: string; remedy: string; mended: boolean }[] };
  };
  /** The host reads this artifact no more: another one may. */
  drop_package: {
    args: { sha256: string };
    answer: Record<string, never>;
  };
  /** A machine joins the fleet: it sends the hash of a secret that it made itself, and gets its user and its queue. "machine" is a random key by which it is known when it asks again. The answer's "root" is the text of the root.json that it is to trust. */
  enrol: {
    args: { token: string; host: string; machine: string; passwordHash: string; platform: string };
    answer: { host: string; root: string };
  };
  /** Checks the whole upload against its sha256; once it is signed, too (put_metadata), the version can be ordered, or the runtime fetched. */
  finish_package: {
    args: { sha256: string };
    answer: { name: string; kind: "release" | "runtime"; version?: string };
  };
  /** The API tokens of a user, or of all; with "secretSha256" the one whose secret has that sha256. Who is no admin sees their own. */
  get_all_api_token: {
    args: { user?: string; secretSha256?: string };
    answer: { user: string; name: string; login: string; role: "viewer" | "operator" | "admin"; createdAt: string; createdBy: string; expiresAt: string }[];
  };
  /** What people and scripts changed, and what they were refused, the latest first; pass the last id as "before" for earlier ones. "who" was checked by the broker, "from" is the caller's own word. "outcome" is "ok", the code of an error, or null while it is not known. */
  get_all_audit: {
    args: { who?: string; fn?: string; host?: string; sinceMs?: number; before?: number; limit?: number };
    answer: { id: number; at: string; who: string; role: string; from: Record<string, unknown> | null; fn: string; args: Record<string, unknown> | null; target: string | null; job: string | null; hosts: number | null; outcome: string | null }[];
  };
  /** All functions that the caller may call: name, help, who else may, whether it changes something, and the schemas of its arguments (with defaults) and of its answer. */
  get_all_funcs: {
    args: Record<string, never>;
    answer: { name: string; help: string; callers: string[]; effect: "reads" | "changes" | "part"; input: unknown; output: unknown }[];
  };
  /** The latest jobs, newest first. */
  get_all_job: {
    args: { limit?: number };
    answer: { id: string; type: string; args: Record<string, unknown>; target: string; state: string; createdAt: string; createdBy: string; finishedAt: string | null }[];
  };
  /** The published packages, releases and runtimes, oldest first. */
  get_all_package: {
    args: Record<string, never>;
    answer: { name: string; kind: "release" | "runtime"; version?: string; sha256: string; size: number; state: string; signed: boolean; createdAt: string; createdBy: string }[];
  };
  /** Hosts in order of id, at most 1000 a call; pass the last id as "after" for the next ones. */
  get_all_server: {
    args: { after?: string; limit?: number };
    answer: { id: string; online: boolean; version: string | null; platform: string | null; registeredAt: string; lastSeenAt: string | null; labels: Record<string, string>; cutOffUntil: string | null; cutOffReason: string | null }[];
  };
  /** Tasks of a job in order of host (pass the last host as "after" for the next ones), or the latest of a host, or the latest of all. "states" leaves out a job's others. "events" adds what the hosts said, of at most 200 tasks a call. */
  get_all_task: {
    args: { job?: string; host?: string; states?: string[]; after?: string; limit?: number; events?: boolean };
    answer: { id: string; job: string; host: string; type: string; args: Record<string, unknown>; state: string; phase: string | null; reason: string | null; attempts: number; late: boolean; fromVersion: string | null; running: string | null; output: Record<string, unknown> | null; createdAt: string; queuedAt: string | null; acceptedAt: string | null; startedAt: string | null; heardAt: string | null; finishedAt: string | null; events: { seq: number; state: string; phase: string | null; reason: string | null; agentMs: number }[] }[];
  };
  /** The tokens that machines join with, newest first; never their secrets. */
  get_all_token: {
    args: { limit?: number };
    answer: { id: string; state: "active" | "used_up" | "expired" | "revoked"; uses: number; used: number; labels: Record<string, string>; createdAt: string; createdBy: string; expiresAt: string }[];
  };
  /** All users and what they may do. */
  get_all_user: {
    args: Record<string, never>;
    answer: { name: string; role: "viewer" | "operator" | "admin"; createdAt: string; createdBy: string }[];
  };
  /** One job, with how many of its tasks are in each state; with "waitMs" once it has ended, or after so long. */
  get_job: {
    args: { id: string; waitMs?: number };
    answer: { id: string; type: string; args: Record<string, unknown>; target: string; state: string; createdAt: string; createdBy: string; finishedAt: string | null; counts: Record<string, number> };
  };
  /** A piece of the signed metadata by its name: 2.root.json, 5.snapshot.json, 7.targets.json, timestamp.json; without a number the newest. "text" is null where there is none. */
  get_metadata: {
    args: { name: string };
    answer: { text: string | null };
  };
  /** Where to read an artifact: its stream, made (again) when it is not there. "artifact" is null while it is being filled, and when as many hosts read as may: ask again, after "retryMs" if that is said. A host reads for "leaseMs" at most, unless it asks again meanwhile. "again" says that the stream did not hold all of it. */
  get_package: {
    args: { sha256: string; again?: boolean };
    answer: { artifact: { sha256: string; size: number; chunkBytes: number; chunks: number; queue: string; maxBytesPerSecond?: number } | null; retryMs?: number; reason?: unknown; leaseMs?: number };
  };
  /** One host. */
  get_server: {
    args: { host: string };
    answer: { id: string; online: boolean; version: string | null; platform: string | null; registeredAt: string; lastSeenAt: string | null; labels: Record<string, string>; cutOffUntil: string | null; cutOffReason: string | null };
  };
  /** One task with all that its host said of it. A host may ask for its own. */
  get_task: {
    args: { id: string };
    answer: { id: string; job: string; host: string; type: string; args: Record<string, unknown>; state: string; phase: string | null; reason: string | null; attempts: number; late: boolean; fromVersion: string | null; running: string | null; output: Record<string, unknown> | null; createdAt: string; queuedAt: string | null; acceptedAt: string | null; startedAt: string | null; heardAt: string | null; finishedAt: string | null; events: { seq: number; state: string; phase: string | null; reason: string | null; agentMs: number }[] };
  };
  /** Changes what a user may do, within a second, and with it what their API tokens may do at most. */
  mod_user: {
    args: { name: string; role: "viewer" | "operator" | "admin" };
    answer: { name: string; role: "viewer" | "operator" | "admin" };
  };
  /** Asks hosts through their own queues whether they are there. */
  ping: {
    args: { on: string[] };
    answer: { job: string };
  };
  /** One chunk of an upload, in base64; sending it twice does no harm. */
  put_chunk: {
    args: { sha256: string; index: number; bytes: string };
    answer: Record<string, never>;
  };
  /** Takes over what the offline keys have signed: roots in order, targets in place of the version that it "replaces". Snapshot and timestamp are signed anew with it. */
  put_metadata: {
    args: { roots?: string[]; targets?: string; replaces: number };
    answer: { root: number; targets: number };
  };
  /** Lets a host that flooded and was cut off connect again at once; "released" is false when it is not cut off. */
  release_server: {
    args: { host: string };
    answer: { host: string; released: boolean };
  };
  /** Lets hosts exchange their secrets in the broker; those that are away do it when they come back. */
  rotate_secret: {
    args: { on: string[] };
    answer: { job: string };
  };
  /** A host exchanges its secret: it sends RabbitMQ's hash of the next one, which it has written down. From the answer on, the broker lets it in by that one alone; connections stay. */
  set_secret: {
    args: { passwordHash: string };
    answer: Record<string, never>;
  };
  /** Checks that the rows of the audit follow from one another, at most 1000 a call: pass what it answers as "after" until it is "done". "broken" says where the first one does not. "known", which an earlier check ended with, must be among them. */
  verify_audit: {
    args: { after?: { id: number; sha256: string }; known?: { id: number; sha256: string }; limit?: number };
    answer: { after: { id: number; sha256: string }; done: boolean; broken: { id: number; reason: string } | null };
  };
  /** What the caller may do: the login that the broker has checked, its user, the API token if it is one, and the role. */
  whoami: {
    args: Record<string, never>;
    answer: { login: string; user: string; token: string | null; role: "viewer" | "operator" | "admin" };
  };
};
