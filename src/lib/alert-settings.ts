import { z } from 'zod';
import { ALERT_KINDS } from './alerts.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A bare address, without a name, a comment or a second one; `root@localhost` is one, too. */
export const mailAddress = z
  .string()
  .max(254)
  .regex(/^[^\p{C}\s@<>()[\]\\,;:"]{1,64}@[A-Za-z0-9.-]+$/u, 'an address such as ops@example.org');

/** How the dispatchers send mail. */
export const mailSettings = z.object({
  /** With the password, if there is one: see lib/mail.ts. */
  url: z.url({ protocol: /^smtps?$/, error: 'a URL of a mail server: smtp://user:password@host:587' }),
  from: mailAddress,
  to: z.array(mailAddress).min(1).max(50),
  /** Of the CA that vouches for the mail server, where Node.js does not trust it already: a path, as above. */
  ca: z.string().min(1).optional(),
  /** How long it may say nothing. */
  timeoutMs: z.int().min(100).max(60_000).default(20_000),
});
export type MailSettings = z.infer<typeof mailSettings>;

/** What people are told, and how often. All dispatchers should say the same. */
export const alertSettings = z
  .object({
    /** The others are kept for `mega alert list` alone. */
    kinds: z.array(z.enum(ALERT_KINDS)).default([...ALERT_KINDS]),
    /** A host that was not heard of for so long, and has not said goodbye, is told to be lost. */
    lostAfterMs: z.int().min(500).default(300_000),
    /** For how long the dispatcher may be unable to do some of its work before that is told. */
    troubleAfterMs: z.int().min(500).default(300_000),
    /** What is raised within so long after the first goes in one mail with it. */
    gatherMs: z.int().min(50).max(HOUR_MS).default(10_000),
    /** From one mail to the next there is as much of an hour as this leaves for each. */
    maxPerHour: z.int().min(1).max(36_000).default(12),
    /** When a mail that was not taken is tried again. */
    retryMs: z.int().min(100).max(HOUR_MS).default(60_000),
    /** What could not be mailed for so long is counted in the next mail that goes, and no longer listed there. */
    giveUpAfterMs: z.int().min(1_000).default(DAY_MS),
    /** For how long `mega alert list` knows it. */
    keepMs: z
      .int()
      .min(60_000)
      .default(90 * DAY_MS),
  })
  .prefault({});
export type AlertSettings = z.infer<typeof alertSettings>;
