// HTTP that waits for its answer: imports of the component are synchronous, and
// so a worker does the fetching while this thread sleeps.
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { Failure } from '../errors.js';
import { shown } from './address.js';

export interface Request {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: Uint8Array;
  /** The most bytes of an answer. */
  limit: number;
  /** How long the head of an answer is waited for. */
  milliseconds: number;
  /** The time of all of it. */
  transferSeconds: number;
  /** The fewest bytes a second, looked at after so many seconds. */
  rate: number;
  rateSeconds: number;
}

export interface Response {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** What the worker answers. */
export type Answer = { response: Response } | { failure: { code: Failure['code']; message: string } };

/** A worker that fetches; started when it is needed. */
export class Http {
  #worker: { worker: Worker; port: MessagePort; signal: Int32Array } | undefined;

  request(request: Request): Response {
    const { port, signal } = (this.#worker ??= start());
    Atomics.store(signal, 0, 0);
    port.postMessage(request);
    // The worker keeps the deadline; a little later it must be dead itself.
    const woken = Atomics.wait(signal, 0, 0, request.milliseconds + request.transferSeconds * 1000 + 5_000);
    const answer = receiveMessageOnPort(port)?.message as Answer | undefined;
    if (woken === 'timed-out' || !answer) {
      this.close();
      throw new Failure('deadline', `${request.method} ${shown(request.url)}: no response in time`);
    }
    if ('failure' in answer) throw new Failure(answer.failure.code, answer.failure.message);
    return answer.response;
  }

  close(): void {
    void this.#worker?.worker.terminate();
    this.#worker?.port.close();
    this.#worker = undefined;
  }
}

function start() {
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('./http-worker.js', import.meta.url), { workerData: { port: port2, signal }, transferList: [port2] });
  worker.unref();
  port1.unref();
  return { worker, port: port1, signal };
}
