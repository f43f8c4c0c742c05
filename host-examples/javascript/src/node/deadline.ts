// A deadline: JavaScript cannot stop a component that runs on the same thread,
// so the work is done in a worker, and the worker is ended when time is up.
import { Worker } from 'node:worker_threads';
import { classOf, DeadlineExceeded, Failure, type Kind } from '../errors.js';

/** What the worker answers. */
export type Done = { value: unknown } | { error: { message: string; name: string } & Record<string, unknown> };

/**
 * Calls the default export of a module with an input, in a worker that is ended
 * when the time is up. Input and answer are copied.
 *
 * Throws `DeadlineExceeded`, or what the module throws.
 */
export function withDeadline<Output>(milliseconds: number, module: URL | string, input?: unknown): Promise<Output> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./deadline-worker.js', import.meta.url), { workerData: { module: String(module), input } });
    const timer = setTimeout(() => {
      finish(() => reject(new DeadlineExceeded(milliseconds)));
    }, milliseconds);
    let finished = false;
    const finish = (settle: () => void) => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      void worker.terminate().then(settle);
    };
    worker.once('message', (done: Done) => finish(() => ('value' in done ? resolve(done.value as Output) : reject(revived(done.error)))));
    worker.once('error', (error) => finish(() => reject(error)));
    worker.once('exit', (code) => finish(() => reject(new Error(`the worker ended with ${code} before it answered`))));
  });
}

/** An error that was copied, with its class's members again. */
function revived(error: Record<string, unknown> & { message: string }): Error {
  const { message, ...members } = error;
  const prototype = 'kind' in members ? classOf(members['kind'] as Kind).prototype : members['name'] === 'Failure' ? Failure.prototype : Error.prototype;
  return Object.assign(Object.create(prototype, { message: { value: message } }) as Error, members);
}
