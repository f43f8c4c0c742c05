// What several tests need: the engine, a store with images, directories.
import { createHash } from 'node:crypto';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine, Memory } from '../dist/index.js';

// No test makes marks with the key of this user.
const state = realpathSync(mkdtempSync(join(tmpdir(), 'layerwise-marks-')));
process.env['LAYERWISE_MARKS_KEY'] = join(state, 'marks.key');
process.on('exit', () => rmSync(state, { recursive: true, force: true }));

export const engine = await Engine.load();
export const PLATFORM = { os: 'linux', architecture: 'amd64' };
export const MAKE = '{"Env":["PATH=/bin","MODE=fast"],"Cmd":["/bin/sh","-c","make"]}';

/** @param {string | Uint8Array} bytes */
export const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/**
 * An image config with these layers.
 * @param {string[]} layers
 * @param {object} more
 */
export function image(layers, more = {}) {
  const history = layers.map((_, at) => ({ created: '2026-01-01T00:00:00Z', created_by: `step ${at}` }));
  return JSON.stringify({ architecture: 'amd64', ...more, created: '2026-01-01T00:00:00Z', history, os: 'linux', rootfs: { type: 'layers', diff_ids: layers } });
}

/** A base and a step that was built on it here. */
export function sample() {
  const images = new Memory(sha256);
  const layers = [sha256('base'), sha256('made')];
  const base = images.add(image(layers.slice(0, 1)), { built: 'elsewhere', name: 'base:1' });
  const built = images.add(image(layers, { container_config: JSON.parse(MAKE) }), { parent: base, built: 'built-here' });
  return { images, base, built };
}

/**
 * A fresh directory, removed after the test.
 * @param {import('node:test').TestContext} test
 */
export function directory(test) {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'layerwise-test-')));
  test.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
