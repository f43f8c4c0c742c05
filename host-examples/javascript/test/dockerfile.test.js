// Sessions over Dockerfiles: what Docker's own engine asked at each step, with a context on disk and images in memory.
import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Memory } from '../dist/index.js';
import { Context } from './context.js';
import { engine, sha256 } from './support.js';

const { cases, docs, engine: upstream } = JSON.parse(gunzipSync(readFileSync(new URL('../../../tests/vectors/docker-29/dockerfile.json.gz', import.meta.url))).toString());

/** Options that only the runner of the vectors knows how to give. */
const MORE = ['stdin', 'api', 'cli', 'other_flags', 'urls', 'error', 'env', 'context_made_by_client'];

test('each step of a Dockerfile asks what the engine asked', (context) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'layerwise-')));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  let compared = 0;
  let files = 0;
  for (const [number, one] of cases.entries()) {
    if (MORE.some((name) => name in one)) continue;
    const root = join(folder, String(number));
    write(root, one.context);
    const images = new Memory(sha256);
    const names = [
      ...Object.entries(one.images).map(([name, id]) => [name.replace('docker.io/library/', ''), id]),
      ...one.steps.flatMap((/** @type {any} */ { from }) => (docs[from?.image] ? [[from.base, from.image]] : [])),
    ];
    for (const [name, id] of names) assert.equal(images.add(docs[id], { name }), id);
    compared += played(one, engine.dockerfile({ images, files: new Context('/context', root) }, one.dockerfile, optionsOf(one)));
    files++;
  }
  assert.ok(files > 200 && compared > 800, `${compared} steps of ${files} Dockerfiles were compared`);
});

/**
 * How many steps had a config that could be compared.
 * @param {any} one
 * @param {import('../dist/index.js').Closing<import('../dist/index.js').Dockerfile.Session>} session
 */
function played({ name, steps }, session) {
  const left = steps.slice();
  let compared = 0;
  for (;;) {
    const event = session.advance();
    if (event.tag === 'done') {
      assert.deepEqual(left, [], name);
      return compared;
    }
    if (event.tag === 'wanted') {
      session.lend(undefined, undefined);
      continue;
    }
    const expected = left.shift();
    assert.ok(expected, `${name}: ${event.tag}`);
    if (event.tag === 'argument') assert.deepEqual([event.val.number, event.val.text], [expected.arg.n, expected.arg.text], name);
    else if (event.tag === 'stage') assert.deepEqual([event.val.instruction.line, event.val.index], [expected.from.line, expected.from.stage], name);
    else if (event.tag === 'step') {
      const { instruction, config, parent, createdBy } = event.val;
      assert.deepEqual([instruction.number, instruction.line, instruction.text], [expected.n, expected.line, expected.text], name);
      if (config !== undefined) {
        // The vectors leave out the image.
        const { Image, ...known } = JSON.parse(config);
        assert.equal(Image ?? '', parent ?? '', name);
        assert.deepEqual(known, expected.config, `${name}: ${instruction.text}`);
        assert.equal(createdBy, expected.created_by, name);
        compared++;
      } else assert.ok(expected.random || expected.copy_from, `${name}: ${instruction.text} has no config`);
      session.report({ hit: expected.seen === 'hit', image: `sha256:${instruction.number.toString(16).padStart(64, '0')}` });
    } else assert.fail(`${name}: ${JSON.stringify(event)}`);
  }
}

/** @param {any} one */
function optionsOf({ build_args = [], labels = [], target, platform, file, context }) {
  const pair = (/** @type {string} */ text) => /** @type {[string, string | undefined]} */ ([text.split('=', 1)[0], text.includes('=') ? text.slice(text.indexOf('=') + 1) : undefined]);
  const here = (/** @type {string} */ path) => context.some((/** @type {{ path: string }} */ entry) => entry.path === path);
  return {
    semantics: { reading: /** @type {const} */ ('compatible') },
    arguments: /** @type {string[]} */ (build_args).map(pair).map(([name, value]) => ({ name, value })),
    labels: /** @type {string[]} */ (labels).map(pair).map(([name, value]) => ({ name, value: value ?? '' })),
    target,
    platform,
    host: { os: upstream.host.os, architecture: upstream.host.architecture, variant: upstream.host.variant },
    context: '/context',
    file: file ?? (here('Dockerfile') || !here('dockerfile') ? 'Dockerfile' : 'dockerfile'),
    packer: /** @type {const} */ ('client'),
  };
}

/**
 * @param {string} root
 * @param {any[]} entries
 */
function write(root, entries) {
  mkdirSync(root, { recursive: true });
  for (const { path, type, mode, text, base64, target, hardlink } of entries) {
    const at = join(root, path);
    mkdirSync(join(at, '..'), { recursive: true });
    if (type === 'symlink') symlinkSync(target, at);
    else if (hardlink !== undefined) linkSync(join(root, hardlink), at);
    else if (type === 'dir') mkdirSync(at, { recursive: true });
    else writeFileSync(at, base64 === undefined ? (text ?? '') : Buffer.from(base64, 'base64'));
    if (type !== 'symlink') chmodSync(at, Number.parseInt(mode, 8));
  }
}
