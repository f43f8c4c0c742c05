// The worker of the page: runs the component, so that the page stays usable and
// can end it.
import { Engine } from '../dist/engine.js';
import { analyse } from './analyse.js';
import { documentOf } from './documents.js';

/** The memory of one instance: documents of a page are small. */
const MEMORY = 128 * 2 ** 20;
/** @type {Promise<Engine> | undefined} */
let engine;

self.addEventListener('message', ({ data }) => {
  if (data.modules) engine = Engine.load({ memory: MEMORY, read: async (name) => data.modules[name] });
  else void answer(data).then((answered) => self.postMessage(answered));
});

/** @param {{ number: number, have: string, want: string }} asked */
async function answer({ number, have, want }) {
  try {
    if (!engine) throw new Error('the component is not there yet');
    const loaded = await engine;
    const instance = loaded.instance();
    try {
      return { number, version: loaded.version, answer: analyse(instance, documentOf(have), documentOf(want)) };
    } finally {
      instance.close();
    }
  } catch (thrown) {
    const { code = '', message } = /** @type {Error & { code?: string }} */ (thrown);
    return { number, error: { code, message } };
  }
}
