// The worker behind `withDeadline`.
import { parentPort, workerData } from 'node:worker_threads';
import type { Done } from './deadline.js';

const { module, input } = workerData as { module: string; input: unknown };

parentPort?.postMessage(await run());

async function run(): Promise<Done> {
  try {
    const { default: work } = (await import(module)) as { default: (input: unknown) => unknown };
    return { value: await work(input) };
  } catch (thrown) {
    const { message, name, stack, cause: _, ...members } = thrown as Error & Record<string, unknown>;
    return { error: { ...members, message, name, stack } };
  }
}
