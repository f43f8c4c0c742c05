// The worker of the page: runs the component, so that the page stays usable and
// can end it.
import { Engine } from '../dist/engine.js';
import { Failure } from '../dist/errors.js';
import { analyse } from './analyse.js';
import { KINDS, opened } from './documents.js';

/** The memory of one instance: documents of a page are small. */
const MEMORY = 256 * 2 ** 20;
/** @type {Promise<Engine> | undefined} */
let engine;

self.addEventListener('message', ({ data }) => {
  if (data.modules) engine = Engine.load({ memory: MEMORY, read: async (name) => data.modules[name] });
  else void answer(data).then((answered) => self.postMessage(answered));
});

/** @param {{ number: number, have: Uint8Array<ArrayBuffer>, want: Uint8Array<ArrayBuffer>, order: boolean }} asked */
async function answer({ number, have, want, order }) {
  /** @type {{ have?: string, want?: string }} */
  const kinds = {};
  try {
    if (!engine) throw new Error('the component is not there yet');
    const loaded = await engine;
    /** @type {Map<string, import('../dist/envelope.js').Layout>} */
    const layouts = new Map();
    const of = (/** @type {string} */ repository) => {
      const layout = layouts.get(repository);
      if (!layout) throw new Failure('not-found', `no layout ${repository}`);
      return layout.registry();
    };
    const instance = loaded.instance({
      registry: {
        read: (repository, ...rest) => of(repository).read(repository, ...rest),
        has: (repository, digests) => of(repository).has(repository, digests),
      },
    });
    try {
      const documents = [];
      for (const [side, bytes] of /** @type {const} */ ([['have', have], ['want', want]])) {
        const document = await opened(instance, bytes, side, layouts).catch((thrown) => {
          kinds[side] = 'cannot be read';
          throw thrown;
        });
        kinds[side] = document ? KINDS[document.kind] : 'nothing yet';
        documents.push(document);
      }
      const [before, now] = documents;
      return { number, kinds, version: loaded.version, answer: analyse(instance, before, now, order) };
    } finally {
      instance.close();
    }
  } catch (thrown) {
    const { code = '', message } = /** @type {Error & { code?: string }} */ (thrown);
    return { number, kinds, error: { code, message } };
  }
}
