import { existsSync } from 'node:fs';

/** Why tests that stop, kill or alarm their servers are skipped here: they need servers of their own. */
export function withoutOwnServers(): string | false {
  const there = existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server');
  return !there && 'needs a RabbitMQ and a MariaDB of its own: install rabbitmq-server and mariadb-server';
}
