/** A message as our own code gives it to the broker. */
export type Outgoing = {
  exchange: string;
  key: string;
  body: Buffer;
  type: string;
  messageId: string;
  correlationId?: string;
  replyTo?: string;
  headers?: Record<string, unknown>;
  /** Transient messages are not written to disk by the broker. */
  transient?: boolean;
  /** Time to live in the queue. */
  expiresMs?: number;
  mandatory?: boolean;
};

/** The same as amqplib wants it; `user-id` is checked by the broker. */
export function propertiesOf(message: Outgoing, user: string) {
  return {
    contentType: 'application/json',
    persistent: !message.transient,
    type: message.type,
    messageId: message.messageId,
    timestamp: Math.floor(Date.now() / 1000),
    userId: user,
    mandatory: message.mandatory ?? false,
    headers: message.headers ?? {},
    ...(message.correlationId ? { correlationId: message.correlationId } : {}),
    ...(message.replyTo ? { replyTo: message.replyTo } : {}),
    ...(message.expiresMs ? { expiration: String(message.expiresMs) } : {}),
  };
}
