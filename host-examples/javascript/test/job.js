// The work of the tests of deadlines.
import { Engine } from '../dist/index.js';
import { Wasi } from '../dist/node/index.js';
import { engine, MAKE, PLATFORM, sample } from './support.js';

/** @param {{ loops?: boolean, fails?: boolean, registry?: string }} input */
export default async function work({ loops, fails, registry }) {
  if (registry !== undefined) {
    const asking = await Engine.load({ wasi: new Wasi({ network: true }) });
    return asking.cache({}, `${registry}/cache`, { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${'0'.repeat(64)}`, size: 2 });
  }
  const { images, base } = sample();
  if (loops) {
    images.children = () => {
      for (;;);
    };
  }
  const limits = fails ? [{ name: 'no-such', value: 1 }] : [];
  return engine.docker({ images }, { limits }).lookup({ parent: base, config: MAKE, platform: PLATFORM }).outcome;
}
