// The worker behind `Http`: fetches, and wakes whoever waits.
import { type MessagePort, workerData } from 'node:worker_threads';
import type { Answer, Request } from './http.js';

const { port, signal } = workerData as { port: MessagePort; signal: Int32Array };

port.on('message', (request: Request) => {
  void answer(request).then((answer) => {
    port.postMessage(answer);
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
  });
});

async function answer({ method, url, headers, body, limit, milliseconds }: Request): Promise<Answer> {
  const failed = (code: 'unavailable' | 'deadline' | 'too-large', why: string) => ({ failure: { code, message: `${method} ${url}: ${why}` } });
  try {
    const response = await fetch(url, { method, headers, body: body as BodyInit | undefined, redirect: 'follow', signal: AbortSignal.timeout(milliseconds) });
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      size += part.length;
      if (size > limit) return failed('too-large', `the answer has more than ${limit} bytes`);
      parts.push(part);
    }
    return { response: { status: response.status, headers: Object.fromEntries(response.headers), body: Buffer.concat(parts) } };
  } catch (thrown) {
    const { name, message, cause } = thrown as Error & { cause?: { message?: string } };
    return name === 'TimeoutError' ? failed('deadline', 'no answer in time') : failed('unavailable', cause?.message ?? message);
  }
}
