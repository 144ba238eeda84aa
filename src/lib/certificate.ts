import { X509Certificate } from 'node:crypto';

/** So long before its end a certificate is warned about, and made anew by `mega certs`. */
export const AHEAD_DAYS = 30;
const DAY_MS = 86_400_000;

/** Whether it ends within {@link AHEAD_DAYS}, or has ended. */
export const endsSoon = (ends: Date, now = Date.now()) => ends.getTime() - now < AHEAD_DAYS * DAY_MS;

/**
 * What to say of a certificate that ends soon; undefined while it is good for longer. `whose`: `the broker's
 * certificate (rabbit.example.org)`.
 */
export function expiryWarning(
  whose: string,
  ends: Date,
  remedy: string,
  now = Date.now(),
): string | undefined {
  if (!endsSoon(ends, now)) return undefined;
  const days = Math.floor((ends.getTime() - now) / DAY_MS);
  const day = ends.toISOString().slice(0, 10);
  const when = days < 0 ? `has expired on ${day}` : `expires in ${days} days, on ${day}`;
  return `${whose} ${when}, and then no connection comes about: ${remedy}`;
}

/** Of a file of certificates in PEM: whose each is, and when it ends. */
export function endsOf(pem: string): { name: string; ends: Date }[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((one) => {
    const certificate = new X509Certificate(one);
    return { name: nameOf(certificate), ends: certificate.validToDate };
  });
}

export const nameOf = ({ subject }: X509Certificate) => subject.replace(/^CN=/, '').replaceAll('\n', ', ');
