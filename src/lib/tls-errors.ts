import { codeOf } from './errors.ts';

/*
 * What a person should do when TLS does not come about. The words of OpenSSL name what failed, and never what was
 * wrong; most who meet them have named the wrong CA, the wrong name or the wrong port.
 *
 * Looked for in codes and in words, since some drivers put a code of their own in the place of Node.js's.
 */
const OF_CERTIFICATE: [RegExp, string][] = [
  [
    /UNABLE_TO_|SELF_SIGNED_CERT|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED|INVALID_CA|self-signed certificate|unable to (verify the first|get (local )?issuer) certificate|certificate signature failure/,
    'was not made by a CA that we trust: name the right CA\'s certificate as "ca"; if it was right before, somebody may be in between',
  ],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/,
    'is for another name: use one that it has, or make one that has this name, too (mega certs --name NAME)',
  ],
  [
    /CERT_HAS_EXPIRED|certificate has expired/,
    'has expired, or that of its CA has: make another (mega certs), and restart that server',
  ],
  [/CERT_NOT_YET_VALID|certificate is not yet valid/, "is not valid yet: is this machine's clock right?"],
];

const OF_SERVER: [RegExp, string][] = [
  [
    /WRONG_VERSION_NUMBER|wrong version number|PACKET_LENGTH_TOO_LONG|packet length too long|HANDSHAKE_NO_SSL_SUPPORT|STARTTLS/,
    'speaks no TLS there: is this its plain port, or is TLS not turned on (mega certs makes certificates)?',
  ],
  [
    /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE)|alert (certificate required|handshake failure|bad certificate)/,
    'wants a certificate of its clients, and ours log in by password: let it ask for none (RabbitMQ: ssl_options.verify = verify_none)',
  ],
  [
    /ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|alert protocol version|unsupported protocol/,
    'speaks only versions of TLS that are too old: allow TLS 1.2 or 1.3 there',
  ],
  [
    /^HPE_|SECURE_TRANSPORT_REQUIRED|insecure transport are prohibited/,
    'speaks nothing but TLS there: use https:// in its URL, or ?tls=on for a database',
  ],
];

/** `the broker's certificate has expired ...`; undefined for what has nothing to do with TLS. `who`: `the broker`. */
export function tlsTrouble(error: unknown, who: string): string | undefined {
  const said = wordsOf(error);
  const find = (table: typeof OF_SERVER) => table.find(([sign]) => sign.test(said))?.[1];
  const certificate = find(OF_CERTIFICATE);
  if (certificate) return `the certificate of ${who} ${certificate}`;
  const server = find(OF_SERVER);
  return server && `${who} ${server}`;
}

/** Codes and words of an error and its causes. */
function wordsOf(error: unknown): string {
  const words: string[] = [];
  for (let at = error; at instanceof Error && words.length < 8; at = at.cause)
    words.push(codeOf(at), at.message);
  return words.join(' ');
}
