/** The simulated fleet's vhost, names and login. One secret for all of them: the broker is private, and ends soon. */
export const VHOST = 'mega';
export const SECRET = 'simulated-hosts-have-one-secret';

export const hostId = (n: number) => `host-${String(n).padStart(5, '0')}`;
export const hostIds = (count: number, from = 0) => Array.from({ length: count }, (_, i) => hostId(from + i));
export const fleetUrl = (scheme: 'amqp' | 'amqps', port: number, user: string, vhost = VHOST) =>
  `${scheme}://${user}:${SECRET}@127.0.0.1:${port}/${vhost}`;
