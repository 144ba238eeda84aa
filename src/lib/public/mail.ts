/** Mail, `mega-fleet/mail`. */
export { InputError, MegaError, UnavailableError } from '../errors.ts';
export { type Table, tableOf } from '../mail/table.ts';
export type { Attachment, Mail, Mailer, MailOptions, Sent } from '../mail.ts';
export { MailError, openMail, sendmail } from '../mail.ts';
