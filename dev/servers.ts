import { type MariaDb, startMariaDb } from './servers/mariadb.ts';
import { type RabbitMq, readOverview, type ServerOptions, startRabbitMq } from './servers/rabbitmq.ts';

export { type MariaDb, type RabbitMq, startMariaDb, startRabbitMq };

export type Servers = {
  rabbitmq: RabbitMq;
  mariadb: MariaDb;
  /** They are the user's own: stop, kill, start, pause and resume throw. */
  external: boolean;
} & AsyncDisposable;

/**
 * A broker and a database: the user's own when MEGA_TEST_RABBITMQ (a management URL) and MEGA_TEST_MYSQL name them,
 * otherwise private ones that end with this process.
 */
export async function startServers(options: ServerOptions): Promise<Servers> {
  const { MEGA_TEST_RABBITMQ: managementUrl, MEGA_TEST_MYSQL: mysqlUrl } = process.env;
  if (managementUrl && mysqlUrl) return await useExternal(managementUrl, mysqlUrl);
  if (managementUrl || mysqlUrl)
    throw new Error('set both MEGA_TEST_RABBITMQ and MEGA_TEST_MYSQL, or neither');
  const stack = new AsyncDisposableStack();
  const starting = [startRabbitMq(options), startMariaDb(options)] as const;
  const [rabbitmq, mariadb] = await Promise.allSettled(starting);
  if (rabbitmq.status === 'fulfilled') stack.use(rabbitmq.value);
  if (mariadb.status === 'fulfilled') stack.use(mariadb.value);
  if (rabbitmq.status === 'fulfilled' && mariadb.status === 'fulfilled') {
    const dispose = () => stack.disposeAsync();
    return {
      rabbitmq: rabbitmq.value,
      mariadb: mariadb.value,
      external: false,
      [Symbol.asyncDispose]: dispose,
    };
  }
  await stack.disposeAsync();
  throw rabbitmq.status === 'rejected' ? rabbitmq.reason : (mariadb as PromiseRejectedResult).reason;
}

async function useExternal(managementUrl: string, mysqlUrl: string): Promise<Servers> {
  const amqpPort = await externalAmqpPort(managementUrl);
  const refuse = () => {
    throw new Error(
      'this server is the user’s own (MEGA_TEST_RABBITMQ, MEGA_TEST_MYSQL): it is not ours to stop',
    );
  };
  const control = { stop: refuse, kill: refuse, start: refuse };
  const dispose = { [Symbol.asyncDispose]: async () => {} };
  return {
    rabbitmq: { amqpPort, managementUrl, ...control, pause: refuse, resume: refuse, ...dispose },
    mariadb: { url: mysqlUrl, ...control, ...dispose },
    external: true,
    ...dispose,
  };
}

async function externalAmqpPort(managementUrl: string): Promise<number> {
  const { listeners = [] } = await readOverview(managementUrl);
  const port = listeners.find((listener) => listener.protocol === 'amqp')?.port;
  if (port === undefined)
    throw new Error('the broker named by MEGA_TEST_RABBITMQ has no plain AMQP listener');
  return port;
}
