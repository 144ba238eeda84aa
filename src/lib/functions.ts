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
  /** Saves a job to be made later, or again and again: at "when" (a date and time, "in 2h", a cron expression, "day 02:00", "week mon 02:00" or "month 1 02:00", with a time zone after it or in "zone") the function "fn" is called with "args", in the name and by the rights of who saves it. Hosts are chosen when it fires. A time at which nobody could fire is left out ("missed": "skip") or made up for unless it is later than "graceMs" ("run"). */
  add_schedule: {
    args: { name: string; when: string; zone?: string; fn: string; args: Record<string, unknown>; missed?: "skip" | "run"; graceMs?: number };
    answer: { name: string; state: "active" | "paused" | "done"; when: string; zone: string; fn: string; args: Record<string, unknown>; missed: "skip" | "run"; graceMs: number | null; owner: string; createdAt: string; nextAt: string | null; notes: string[]; next: { at: string; local: string; note: string | null }[]; firings: { dueAt: string; state: "due" | "made" | "missed" | "skipped" | "failed"; job: string | null; reason: string | null }[] };
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
  /** Hosts that "on" means may begin work only while a window of theirs is open, such as "mon-fri 22:00-04:00, sat 10:00-18:00 Asia/Shanghai"; the time zone stands there or in "zone". What has begun goes on to its end. It holds for jobs that are made from now on. */
  add_window: {
    args: { name: string; on: string[]; open: string; zone?: string };
    answer: { name: string; on: string[]; open: string; zone: string; isOpen: boolean; changesAt: string | null; hosts: number; createdAt: string; createdBy: string };
  };
  /** Lets a job go on to its next wave. "wave" names it, so that asking twice approves no other one. */
  approve_job: {
    args: { id: string; wave?: number };
    answer: { job: string; state: string; changed: boolean };
  };
  /** Begins or resumes the upload of a package; answers which chunks are missing. */
  begin_package: {
    args: { manifest: { format: 1; name: "mega"; version: string; platforms: string[]; runtime: string; builtAt: string } | { format: 1; name: "runtime"; runtime: string; platform: string; builtAt: string }; sha256: string; size: number };
    answer: { state: string; chunkBytes: number; missing: number[] };
  };
  /** Ends what has not begun, and asks the hosts to stop what has, which may be past the point of no return. */
  cancel_job: {
    args: { id: string };
    answer: { job: string; state: string; changed: boolean };
  };
  /** Cancels a task: at once when it was not sent, otherwise by asking its host, which may be past the point of no return. */
  cancel_task: {
    args: { id: string };
    answer: { state: string; host: string };
  };
  /** Asks hosts what client_upgrade with the same arguments would do, and changes nothing: a job whose tasks say it host by host, in the wave in which each would come. "limits" are those that would hold, "earlier" how long the latest upgrades took. */
  check_upgrade: {
    args: { to?: string; on: string[]; trial?: { starts?: number; seconds?: number; hangSeconds?: number }; downgrade?: boolean; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
    answer: { job: string; to: string; limits: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs: number; window?: string } | null; earlier: { hosts: number; medianMs: number } | null };
  };
  /** A host says that it is there, what it runs, why its owner holds it ("held") if so, and which upgrade it is on trial for; the answer carries the time. */
  client_ping: {
    args: { boot: string; version: string; platform: string; held?: string; trial?: string };
    answer: { time: number; probed: boolean; steadyMs: number };
  };
  /** Upgrades hosts to a published version (without "to": the newest). Hosts that run a newer one go back only with "downgrade". An operator names the hosts; a host that calls it upgrades itself. More than 10 hosts are taken in waves of 1, 10% and 100%, and the job pauses past 10% of errors, unless "limits" name other waves. */
  client_upgrade: {
    args: { to?: string; on?: string[]; trial?: { starts?: number; seconds?: number; hangSeconds?: number }; downgrade?: boolean; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
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
  /** Removes a schedule. Jobs that it made stay, and go on. */
  del_schedule: {
    args: { name: string };
    answer: { name: string };
  };
  /** Removes a host: its broker user and queue. Its tasks stay as history. "wasOnline" says whether its agent ran. */
  del_server: {
    args: { host: string };
    answer: { host: string; wasOnline: boolean };
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
  /** Removes a window: nobody waits for it any more. */
  del_window: {
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
  /** Asks hosts what they are: system, processors, memory, disks, addresses, and the MySQL and MariaDB servers that run. It is kept with each host. */
  facts: {
    args: { on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
    answer: { job: string };
  };
  /** Fetches the end of the agents' own logs, or of their loaders', from hosts that are there. */
  fetch_logs: {
    args: { file?: "agent" | "loader"; bytes?: number; grep?: string; on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
    answer: { job: string };
  };
  /** Checks the whole upload against its sha256; once it is signed, too (put_metadata), the version can be ordered, or the runtime fetched. */
  finish_package: {
    args: { sha256: string };
    answer: { name: string; kind: "release" | "runtime"; version?: string };
  };
  /** Stops everything now: nothing but pings is sent to any host until it is ended. What is under way goes on. */
  freeze: {
    args: { reason: string };
    answer: { changed: boolean };
  };
  /** What people were told, or are to be told, the latest first; pass the last id as "before" for earlier ones. "mail" is "waiting", "sent", "given_up" (no mail could be sent for too long), or "none" (of a kind that is not mailed, or no mail server is configured). */
  get_all_alert: {
    args: { kind?: "job_paused" | "job_failed" | "job_finished" | "schedule_missed" | "quarantined" | "host_lost" | "host_back" | "expiring" | "trouble"; sinceMs?: number; before?: string; limit?: number };
    answer: { id: string; kind: string; about: string; text: string; raisedAt: string; mail: string; sentAt: string | null; mailError: string | null }[];
  };
  /** The API tokens of a user, or of all; with "secretSha256" the one whose secret has that sha256. Who is no admin sees their own. */
  get_all_api_token: {
    args: { user?: string; secretSha256?: string };
    answer: { user: string; name: string; login: string; role: "viewer" | "operator" | "admin"; createdAt: string; createdBy: string; expiresAt: string }[];
  };
  /** What people and scripts changed, and what they were refused, the latest first; pass the last id as "before" for earlier ones. "who" was checked by the broker, "from" is the caller's own word. "outcome" is "ok", the code of an error, or null while it is not known. With "job" only what was done with that one, and nothing else is asked for. */
  get_all_audit: {
    args: { who?: string; fn?: string; host?: string; job?: string; sinceMs?: number; before?: number; limit?: number };
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
    answer: { id: string; type: string; args: Record<string, unknown>; target: string; state: string; createdAt: string; createdBy: string; startedAt: string | null; finishedAt: string | null; limits: Record<string, unknown> | null; pausedReason: string | null }[];
  };
  /** The published packages, releases and runtimes, oldest first. */
  get_all_package: {
    args: Record<string, never>;
    answer: { name: string; kind: "release" | "runtime"; version?: string; sha256: string; size: number; state: string; signed: boolean; createdAt: string; createdBy: string; quarantinedAt: string | null; quarantineReason: string | null }[];
  };
  /** All schedules, each with what became of its latest time. */
  get_all_schedule: {
    args: Record<string, never>;
    answer: { name: string; state: "active" | "paused" | "done"; when: string; zone: string; fn: string; args: Record<string, unknown>; missed: "skip" | "run"; graceMs: number | null; owner: string; createdAt: string; nextAt: string | null; last: { dueAt: string; state: "due" | "made" | "missed" | "skipped" | "failed"; job: string | null; reason: string | null } | null }[];
  };
  /** Hosts in order of id, at most 1000 a call; pass the last id as "after" for the next ones. "on" leaves out those whom these targets do not mean. */
  get_all_server: {
    args: { after?: string; limit?: number; on?: string[] };
    answer: { id: string; online: boolean; version: string | null; platform: string | null; registeredAt: string; lastSeenAt: string | null; labels: Record<string, string>; cutOffUntil: string | null; cutOffReason: string | null; hold: { by: string; reason: string; until: string | null } | null; ownerHold: string | null }[];
  };
  /** Tasks of a job in order of host (pass the last host as "after" for the next ones) or, with order "slowest", those that took longest; or the latest of a host, or the latest of all. "states" leaves out a job's others; so does "only": "silent" are those that are lost, expired, undeliverable, or open while their host is away, "retried" those in whose place another try came. "events" adds what the hosts said, of at most 200 tasks a call. */
  get_all_task: {
    args: { job?: string; host?: string; states?: string[]; only?: "silent" | "retried"; order?: "host" | "slowest"; after?: string; limit?: number; events?: boolean };
    answer: { id: string; job: string; host: string; type: string; args: Record<string, unknown>; state: string; phase: string | null; reason: string | null; attempts: number; late: boolean; wave: number; tries: number; fromVersion: string | null; running: string | null; output: Record<string, unknown> | null; createdAt: string; queuedAt: string | null; acceptedAt: string | null; startedAt: string | null; heardAt: string | null; finishedAt: string | null; lastSeenAt: string | null; online: boolean; events: { seq: number; state: string; phase: string | null; reason: string | null; agentMs: number; recordedAt: string }[] }[];
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
  /** All windows, whether each is open now, when that changes, and how many hosts keep it. */
  get_all_window: {
    args: Record<string, never>;
    answer: { name: string; on: string[]; open: string; zone: string; isOpen: boolean; changesAt: string | null; hosts: number; createdAt: string; createdBy: string }[];
  };
  /** Asks hosts which settings they go by, and which of those "set_config" may change. */
  get_config: {
    args: { on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
    answer: { job: string };
  };
  /** Whether all is frozen, by whom, since when and why. */
  get_freeze: {
    args: Record<string, never>;
    answer: { frozen: boolean; reason?: string; by?: string; at?: string };
  };
  /** One job: how many of its tasks are in each state, wave by wave, what went wrong, and what it waits for; with "waitMs" once it has ended, or after so long; with "times" also when each wave began and ended. */
  get_job: {
    args: { id: string; waitMs?: number; times?: boolean };
    answer: { id: string; type: string; args: Record<string, unknown>; target: string; state: string; createdAt: string; createdBy: string; startedAt: string | null; finishedAt: string | null; limits: Record<string, unknown> | null; pausedReason: string | null; counts: Record<string, number>; wave: number; errors: number; forgiven: number; errorKinds: Record<string, number>; waitingFor: { what: "approval" | "pause" | "window" | "frozen" | "hosts"; until: string | null; text: string } | null; waves: { wave: number; hosts: number; counts: Record<string, number>; startedAt?: string | null; finishedAt?: string | null }[] };
  };
  /** Log lines of hosts and their scripts, in order of time: the latest "limit" of them, with "before" those before a line; with "keptFrom" those that the dispatcher kept since then, in order of keeping. An answer may hold fewer than there are. */
  get_logs: {
    args: { on?: string[]; task?: string; level?: "trace" | "debug" | "info" | "warn" | "error" | "fatal"; since?: string; until?: string; grep?: string; before?: { at: string; id: number }; keptFrom?: string; limit?: number };
    answer: { id: number; host: string; at: string; keptAt: string; level: "trace" | "debug" | "info" | "warn" | "error" | "fatal"; task: string | null; script: string | null; text: string }[];
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
  /** One schedule, its next times, and what became of the latest ones. */
  get_schedule: {
    args: { name: string; next?: number; firings?: number };
    answer: { name: string; state: "active" | "paused" | "done"; when: string; zone: string; fn: string; args: Record<string, unknown>; missed: "skip" | "run"; graceMs: number | null; owner: string; createdAt: string; nextAt: string | null; notes: string[]; next: { at: string; local: string; note: string | null }[]; firings: { dueAt: string; state: "due" | "made" | "missed" | "skipped" | "failed"; job: string | null; reason: string | null }[] };
  };
  /** One host, with what it has told of itself ("facts"). */
  get_server: {
    args: { host: string };
    answer: { id: string; online: boolean; version: string | null; platform: string | null; registeredAt: string; lastSeenAt: string | null; labels: Record<string, string>; cutOffUntil: string | null; cutOffReason: string | null; hold: { by: string; reason: string; until: string | null } | null; ownerHold: string | null; facts: Record<string, unknown> };
  };
  /** One task with all that its host said of it. A host may ask for its own. */
  get_task: {
    args: { id: string };
    answer: { id: string; job: string; host: string; type: string; args: Record<string, unknown>; state: string; phase: string | null; reason: string | null; attempts: number; late: boolean; wave: number; tries: number; fromVersion: string | null; running: string | null; output: Record<string, unknown> | null; createdAt: string; queuedAt: string | null; acceptedAt: string | null; startedAt: string | null; heardAt: string | null; finishedAt: string | null; lastSeenAt: string | null; online: boolean; events: { seq: number; state: string; phase: string | null; reason: string | null; agentMs: number; recordedAt: string }[] };
  };
  /** Keeps hosts out: they get no order but a ping until the hold is ended, or "until" a time, or "forMs". Their tasks wait; what has begun goes on. */
  hold_server: {
    args: { on: string[]; reason: string; until?: string; forMs?: number };
    answer: { hosts: number };
  };
  /** Sets labels and holds of many hosts, all in one transaction. A label that is null goes, one that is not named stays; a hold that is null ends, one that is not said stays. Where a host is not known nothing is done, unless "skipUnknown"; nor with "dryRun". "changes" are at most 1000. */
  import_server: {
    args: { changes: { hosts: string[]; labels?: Record<string, string | null>; hold?: { reason: string; until?: string | null } | null }[]; skipUnknown?: boolean; dryRun?: boolean };
    answer: { applied: boolean; hosts: number; unknown: string[]; changes: { host: string; before: { labels: Record<string, string>; hold: { reason: string; until: string | null } | null }; after: { labels: Record<string, string>; hold: { reason: string; until: string | null } | null } }[] };
  };
  /** Gives labels to hosts, and takes away those whose value is null; others stay. "host" is one, "on" are targets. */
  mod_server: {
    args: { host?: string; on?: string[]; labels: Record<string, string | null> };
    answer: { hosts: number; changed: number };
  };
  /** Changes what a user may do, within a second, and with it what their API tokens may do at most. */
  mod_user: {
    args: { name: string; role: "viewer" | "operator" | "admin" };
    answer: { name: string; role: "viewer" | "operator" | "admin" };
  };
  /** Nothing of the job starts any more, until it is resumed; what is under way goes on. */
  pause_job: {
    args: { id: string; reason?: string };
    answer: { job: string; state: string; changed: boolean };
  };
  /** A schedule fires no more until it is resumed. Jobs that it made go on. */
  pause_schedule: {
    args: { name: string };
    answer: { name: string; state: "active" | "paused" | "done"; when: string; zone: string; fn: string; args: Record<string, unknown>; missed: "skip" | "run"; graceMs: number | null; owner: string; createdAt: string; nextAt: string | null };
  };
  /** Asks hosts through their own queues whether they are there. */
  ping: {
    args: { on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
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
  /** Stops a version for the whole fleet: its jobs pause ("paused" names them), no order to it leaves any more, and new ones are refused, until release_package. Of one that is in quarantine already the answer is its reason. */
  quarantine_package: {
    args: { name: string; reason: string };
    answer: { name: string; reason: string; paused: string[] };
  };
  /** Ends the quarantine of a version; who went back from it is counted anew. The jobs that "paused" names stay paused until they are resumed. "released" is false when it was not in quarantine. */
  release_package: {
    args: { name: string };
    answer: { name: string; released: boolean; paused: string[] };
  };
  /** Lets a host that flooded and was cut off connect again at once; "released" is false when it is not cut off. */
  release_server: {
    args: { host: string };
    answer: { host: string; released: boolean };
  };
  /** Runs a script of the hosts' script folder, or of a release that they have ("release"), or, where a host allows it, text for a shell ("shell"). Arguments are passed as they are; "stdin" is what it reads. The limit of each is "limits.timeoutMs", or ten minutes; so long, or "limits.deadlineMs", it waits for hosts that are away. */
  remote_cmd: {
    args: { script?: string; shell?: string; type?: "cmd" | "bash" | "python" | "node"; release?: string; args?: string[]; stdin?: string; graceMs?: number; keepBytes?: number; memoryBytes?: number; cpuSeconds?: number; on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
    answer: { job: string };
  };
  /** Restarts the agents of hosts. Scripts that run go on. */
  restart_agent: {
    args: { on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
    answer: { job: string };
  };
  /** A paused job goes on. Its errors so far are forgiven; "maxErrors" changes how many more it bears. */
  resume_job: {
    args: { id: string; maxErrors?: number | string };
    answer: { job: string; state: string; changed: boolean };
  };
  /** A paused schedule fires again, from its next time on; those that passed meanwhile are not made up for. */
  resume_schedule: {
    args: { name: string };
    answer: { name: string; state: "active" | "paused" | "done"; when: string; zone: string; fn: string; args: Record<string, unknown>; missed: "skip" | "run"; graceMs: number | null; owner: string; createdAt: string; nextAt: string | null; notes: string[]; next: { at: string; local: string; note: string | null }[]; firings: { dueAt: string; state: "due" | "made" | "missed" | "skipped" | "failed"; job: string | null; reason: string | null }[] };
  };
  /** Tries the tasks of a job again that failed, within its limits; one that has ended is open again. */
  retry_job: {
    args: { id: string; failed: true };
    answer: { job: string; state: string; changed: boolean; tasks: number };
  };
  /** Lets hosts exchange their secrets in the broker; those that are away do it when they come back. */
  rotate_secret: {
    args: { on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string } };
    answer: { job: string };
  };
  /** Makes a schedule's job now, in the name and by the rights of the caller; its times stay. */
  run_schedule_now: {
    args: { name: string };
    answer: { job: string };
  };
  /** Sends a mail by the mail server of the dispatchers, in their name. Asked again with the same key it may be sent again, under the same message id. */
  send_mail: {
    args: { to: string[]; subject: string; text: string; html?: string };
    answer: { messageId: string; to: string[] };
  };
  /** Changes settings of hosts and restarts their agents: how often and how much, never whom a host trusts, where its scripts lie or as whom they run. */
  set_config: {
    args: { on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string }; set: { heartbeatMs?: number; reconnectMs?: number; arbitrationMs?: number; maxDownloadBytesPerSecond?: number; scriptLanes?: number; scriptWaitMs?: number; logLevel?: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent" } };
    answer: { job: string };
  };
  /** A host exchanges its secret: it sends RabbitMQ's hash of the next one, which it has written down. From the answer on, the broker lets it in by that one alone; connections stay. */
  set_secret: {
    args: { passwordHash: string };
    answer: Record<string, never>;
  };
  /** Has hosts carry out a task of one's own, which came with the release that they run. The limit of each is "limits.timeoutMs", or ten minutes. */
  start_task: {
    args: { on: string[]; limits?: { waves?: (number | string)[]; maxConcurrency?: number; maxErrors?: number | string; pauseBetween?: number | "approve"; rate?: number; timeoutMs?: number; deadlineMs?: number; retries?: number; retryAfterMs?: number; window?: string }; task: string; args?: Record<string, unknown> };
    answer: { job: string };
  };
  /** The last log lines of one task: what its script printed, in order of time. */
  task_log: {
    args: { task: string; limit?: number };
    answer: { id: number; host: string; at: string; keptAt: string; level: "trace" | "debug" | "info" | "warn" | "error" | "fatal"; task: string | null; script: string | null; text: string }[];
  };
  /** Sends a mail that says that it is a test: to those whom alerts are mailed to, or to the addresses in "to". */
  test_mail: {
    args: { to?: string[] };
    answer: { messageId: string; to: string[]; server: string };
  };
  /** Ends a freeze: all goes on where it was. */
  unfreeze: {
    args: Record<string, never>;
    answer: { changed: boolean };
  };
  /** Ends the holds of operators. "released" is of how many hosts there was one; "held" are those whose owners still hold them, which only they can end, at most 100. */
  unhold_server: {
    args: { on: string[] };
    answer: { hosts: number; released: number; held: { host: string; reason: string }[] };
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
