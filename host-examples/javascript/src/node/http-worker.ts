// The worker behind `Http`: fetches, and wakes whoever waits. Redirections of
// reading requests are followed here, never from HTTPS to HTTP, and what proves who
// is asking goes to the origin of the request only. A transfer has a total time and
// a lowest rate: one byte now and then would meet no time-out between two.
import { type MessagePort, workerData } from 'node:worker_threads';
import { Failure } from '../errors.js';
import { follow, shown, withoutAddresses } from './address.js';
import type { Answer, Request } from './http.js';

const { port, signal } = workerData as { port: MessagePort; signal: Int32Array };
const REDIRECTS = 5;

port.on('message', (request: Request) => {
  void answer(request).then((answer) => {
    port.postMessage(answer);
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
  });
});

async function answer(request: Request): Promise<Answer> {
  const { method, url, milliseconds, transferSeconds, rate, rateSeconds } = request;
  const what = `${method} ${shown(url)}`;
  const controller = new AbortController();
  let moved = 0;
  const end = (why: string, code: Failure['code'] = 'unavailable') => controller.abort(new Failure(code, `${what}: ${why}`));
  const total = setTimeout(() => end(`it takes more than ${transferSeconds} seconds (limit transfer-seconds)`), transferSeconds * 1000);
  const slow = setInterval(() => {
    if (moved < rate * rateSeconds) end(`it brings less than ${rate} bytes a second (limit transfer-rate)`);
    moved = 0;
  }, rateSeconds * 1000);
  // How much of a body was sent is not known; then its time is that of the transfer.
  const head = setTimeout(() => end('no response in time', 'deadline'), request.body ? transferSeconds * 1000 : milliseconds);
  if (request.body) moved = Number.POSITIVE_INFINITY;
  try {
    const response = await fetched(request, controller.signal);
    clearTimeout(head);
    const body = await read(response, request.limit, what, (count) => (moved += count));
    return { response: { status: response.status, headers: Object.fromEntries(response.headers), body } };
  } catch (thrown) {
    if (thrown instanceof Failure) return { failure: { code: thrown.code, message: thrown.message } };
    const { message, cause } = thrown as Error & { cause?: { message?: string } };
    return { failure: { code: 'unavailable', message: `${what}: ${withoutAddresses(cause?.message ?? message)}` } };
  } finally {
    clearTimeout(total);
    clearTimeout(head);
    clearInterval(slow);
    controller.abort();
  }
}

async function fetched({ method, url, headers, body }: Request, signal: AbortSignal): Promise<Response> {
  const { authorization: _, ...plain } = headers;
  let to = url;
  for (let hop = 0; hop <= REDIRECTS; hop++) {
    const own = new URL(to).origin === new URL(url).origin;
    const response = await fetch(to, { method, headers: own ? headers : plain, body: body as BodyInit | undefined, redirect: 'manual', signal });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || !location || !['GET', 'HEAD'].includes(method)) return response;
    await response.body?.cancel();
    to = follow(to, location);
  }
  throw new Failure('other', `${method} ${shown(url)}: too many redirections`);
}

async function read(response: Response, limit: number, what: string, count: (bytes: number) => void): Promise<Uint8Array> {
  const tooLarge = () => new Failure('too-large', `${what}: the answer has more than ${limit} bytes`);
  if (response.ok && Number(response.headers.get('content-length') ?? 0) > limit) throw tooLarge();
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    count(part.length);
    size += part.length;
    if (size > limit) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}
