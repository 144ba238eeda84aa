import { endsOf, expiryWarning, nameOf } from '../lib/certificate.ts';
import { remindOfEnd } from './alerts/expiring.ts';
import type { Context } from './context.ts';
import { certificateEnds } from './store/server.ts';

const ANEW = 'make another with mega certs, and restart that server';
const OF_CA = 'make another CA, and let all trust both before the first server changes';

/** Tells well ahead of certificates that end: the broker's and the database's as they show them, and our CAs'. */
export async function warnOfEnds({ config, db, consumer, logger }: Context): Promise<void> {
  const warn = async (whose: string, ends: Date, remedy: string) => {
    const text = expiryWarning(whose, ends, remedy);
    if (text === undefined) return;
    logger.warn({ ends: ends.toISOString() }, text);
    await remindOfEnd(db, whose, ends, text);
  };
  for (const { name, ends } of endsOf(config.ca ?? ''))
    await warn(`the certificate of the CA (${name})`, ends, OF_CA);
  const broker = consumer.certificate;
  if (broker) await warn(`the certificate of the broker (${nameOf(broker)})`, broker.validToDate, ANEW);
  const ends = await certificateEnds(db);
  if (ends) await warn('the certificate of the database', ends, ANEW);
}
