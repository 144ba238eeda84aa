import { Agent, request as overHttp } from 'node:http';
import { request as overHttps, Agent as SecureAgent } from 'node:https';
import { text } from 'node:stream/consumers';

export type HttpRequest = {
  method: string;
  headers: Record<string, string>;
  body?: string | undefined;
  timeoutMs: number;
};
export type HttpAnswer = { status: number; text: string };

const MAX_CONNECTIONS = 4;

/**
 * HTTP with a CA of one's own, which `fetch` cannot be given. Each client keeps its own CA: what one trusts is not
 * trusted by the rest of the process.
 */
export class HttpClient {
  #http = new Agent({ maxSockets: MAX_CONNECTIONS });
  #https: SecureAgent;

  /** `ca`: certificates in PEM; without it, the CAs that Node.js trusts. */
  constructor(ca?: string) {
    this.#https = new SecureAgent({ maxSockets: MAX_CONNECTIONS, ...(ca === undefined ? {} : { ca }) });
  }

  send(url: string, { method, headers, body, timeoutMs }: HttpRequest): Promise<HttpAnswer> {
    const signal = AbortSignal.timeout(timeoutMs);
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { method, headers: { ...headers, ...length }, signal };
    return new Promise((resolve, reject) => {
      const sent = url.startsWith('https:')
        ? overHttps(url, { ...options, agent: this.#https })
        : overHttp(url, { ...options, agent: this.#http });
      sent.on('error', reject);
      sent.on('response', (response) => {
        const status = response.statusCode ?? 0;
        text(response).then((answer) => resolve({ status, text: answer }), reject);
      });
      sent.end(body);
    });
  }
}
