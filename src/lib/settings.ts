import { z } from 'zod';

/** Values as configuration files have them. */
export const amqpUrl = z.url({
  protocol: /^amqps?$/,
  error: 'a broker URL: amqp://user:password@host:5672/mega',
});
export const httpUrl = z.url({
  protocol: /^https?$/,
  error: 'a URL of the RabbitMQ management API: http://user:password@host:15672',
});
export const mysqlUrl = z.url({
  protocol: /^(mysql|mariadb)$/,
  error: 'a database URL: mysql://user:password@host:3306/mega',
});

/** Less than the least would take longer than a task may last for a package of any size. */
export const bytesPerSecond = z
  .int()
  .refine((rate) => rate === 0 || rate >= 1024, 'bytes per second, 1024 or more; 0 is without a limit');

/** See secure.ts. In a file `ca` is a path, relative to that file; once loaded it is the certificates themselves. */
export const security = { ca: z.string().min(1).optional(), allowPlain: z.boolean().default(false) };
