// The work of the tests of deadlines.
import { engine, MAKE, PLATFORM, sample } from './support.js';

/** @param {{ loops?: boolean, fails?: boolean }} input */
export default function work({ loops, fails }) {
  const { images, base } = sample();
  if (loops) {
    images.children = () => {
      for (;;);
    };
  }
  const limits = fails ? [{ name: 'no-such', value: 1 }] : [];
  return engine.docker({ images }, { limits }).lookup({ parent: base, config: MAKE, platform: PLATFORM }).outcome;
}
