// Tests that need a program of the machine. Where it is missing they say so, and
// fail when LAYERWISE_REQUIRE_LIVE=1.
import { spawnSync } from 'node:child_process';

/**
 * Whether to go on; says why not.
 * @param {import('node:test').TestContext} test
 * @param {...string} programs any of them will do
 * @returns {string | undefined} the program
 */
export function needs(test, ...programs) {
  const found = programs.find((program) => spawnSync(program, ['--version']).error === undefined);
  if (found) return found;
  const why = `${programs.join(' or ')} is not installed`;
  if (process.env['LAYERWISE_REQUIRE_LIVE'] === '1') throw new Error(why);
  test.skip(why);
  return undefined;
}
