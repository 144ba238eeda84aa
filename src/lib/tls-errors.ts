import { codeOf, describe } from './errors.ts';

/*
 * What a person should do when TLS does not come about. The words of OpenSSL name what failed, and never what was
 * wrong; those who meet them most have named the wrong CA, the wrong name or the wrong port.
 */
const ofCertificate: [codes: string[], words: string][] = [
  [
    [
      ...[
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        'UNABLE_TO_GET_ISSUER_CERT',
        'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      ],
      ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_SIGNATURE_FAILURE'],
      ...['CERT_UNTRUSTED', 'INVALID_CA'],
    ],
    'was not made by a CA that we trust: name the right CA\'s certificate as "ca"; if it was right before, somebody may be in between',
  ],
  [
    ['ERR_TLS_CERT_ALTNAME_INVALID'],
    'is for another name: use a name that it has, or make one that has this name too (mega certs --name NAME)',
  ],
  [
    ['CERT_HAS_EXPIRED'],
    'has expired, or that of its CA has: make another (mega certs), and restart that server',
  ],
  [['CERT_NOT_YET_VALID'], "is not valid yet: is this machine's clock right?"],
];

const ofServer: [codes: string[], words: string][] = [
  [
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'HANDSHAKE_NO_SSL_SUPPORT', 'ETLS'],
    'speaks no TLS there: is this its plain port, or is TLS not turned on (mega certs makes certificates)?',
  ],
  [
    [
      ...['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'],
      ...['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'],
    ],
    'wants a certificate of its clients, and ours log in by password: let it ask for none (RabbitMQ: ssl_options.verify = verify_none)',
  ],
  [
    [
      'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
      'ERR_SSL_UNSUPPORTED_PROTOCOL',
      'ERR_SSL_NO_PROTOCOLS_AVAILABLE',
    ],
    'speaks only versions of TLS that are too old: allow TLS 1.2 or 1.3 there',
  ],
];

/** `the broker's certificate has expired ...`; undefined for what has nothing to do with TLS. `who`: `the broker`. */
export function tlsTrouble(error: unknown, who: string): string | undefined {
  const codes = codesOf(error);
  const find = (table: typeof ofServer) =>
    table.find(([known]) => known.some((code) => codes.includes(code)));
  const certificate = find(ofCertificate);
  if (certificate) return `${who}'s certificate ${certificate[1]}`;
  const server = find(ofServer);
  return server && `${who} ${server[1]}`;
}

/** Of an error and its causes; some bear OpenSSL's words and no code. */
function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error; at && codes.length < 4; at = (at as { cause?: unknown }).cause) codes.push(codeOf(at));
  if (/wrong version number/.test(describe(error))) codes.push('ERR_SSL_WRONG_VERSION_NUMBER');
  return codes;
}
