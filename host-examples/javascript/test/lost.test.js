// Layouts whose `index.json` tells of images that cannot be read.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Failure } from '../dist/index.js';
import { LayoutImages } from '../dist/node/index.js';
import { Layout } from '../dist/node/layout.js';
import { directory, image, sha256 } from './support.js';

const LIMIT = 1_000_000n;
const ALL = { document: true, parent: true, built: true };
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CHILD = image([], { author: 'child' });
const LATER = { mediaType: MANIFEST, digest: sha256('later'), size: 1 };

/**
 * A base and a child of it that was built here, and the child's entry.
 * @param {import('node:test').TestContext} context
 */
function family(context) {
  const root = join(directory(context), 'images');
  new Layout(root).create();
  const images = new LayoutImages(root);
  const base = images.create(undefined, image([]), undefined);
  const child = images.create(base, CHILD, undefined);
  images.setBuiltHere(child, true);
  const path = join(root, 'index.json');
  const index = JSON.parse(fs.readFileSync(path, 'utf8'));
  const enter = (/** @type {unknown[]} */ ...manifests) => fs.writeFileSync(path, JSON.stringify({ ...index, manifests }));
  const [first, entry] = index.manifests;
  first.annotations['org.opencontainers.image.ref.name'] = 'base';
  entry.annotations['org.opencontainers.image.ref.name'] = 'app';
  enter(first, entry);
  return { root, base, child, first, entry, enter, path, manifest: new Layout(root).path(entry.digest) };
}

/**
 * @param {unknown} answer
 * @param {string} code
 * @param {string[]} said
 */
function fails(answer, code, ...said) {
  assert.ok(answer instanceof Failure, `${JSON.stringify(answer)} is no failure`);
  assert.equal(answer.code, code, answer.message);
  for (const text of said) assert.ok(answer.message.includes(text), answer.message);
}

/**
 * @param {() => unknown} work
 * @param {string} code
 * @param {string[]} said
 */
function throws(work, code, ...said) {
  assert.throws(work, (thrown) => (fails(thrown, code, ...said), true));
}

/** @type {[string, (manifest: string, entry: any) => void, string, string][]} */
const DAMAGES = [
  ['a missing manifest', (manifest) => fs.rmSync(manifest), 'unavailable', 'it does not exist'],
  ['no blobs', (manifest) => fs.rmSync(join(manifest, '../..'), { recursive: true }), 'unavailable', 'it does not exist'],
  ['a short manifest', (manifest) => fs.writeFileSync(manifest, '{'), 'truncated', 'has 1 bytes'],
  ['other bytes', (manifest, { size }) => fs.writeFileSync(manifest, ' '.repeat(size)), 'corrupt', 'does not have the digest'],
  ['a directory', (manifest) => (fs.rmSync(manifest), fs.mkdirSync(manifest)), 'corrupt', 'not a regular file'],
  ['a path for a digest', (_, entry) => (entry.digest = 'sha256:../../etc/passwd'), 'corrupt', '"sha256:../../etc/passwd"'],
  ['no digest', (_, entry) => delete entry.digest, 'corrupt', 'not a descriptor'],
  ['a negative size', (_, entry) => (entry.size = -1), 'corrupt', 'not a descriptor'],
  ['a foreign media type', (_, entry) => (entry.mediaType = 'text/plain'), 'corrupt', '"text/plain" for its media type'],
  ['no manifest', (manifest, entry) => rewrite(manifest, entry, () => null), 'corrupt', `is not a ${MANIFEST}`],
  ['no json', (manifest, entry) => rewrite(manifest, entry, () => undefined), 'corrupt', `is not a ${MANIFEST}`],
  ['an odd config', (manifest, entry) => rewrite(manifest, entry, (body) => ({ ...body, config: { ...body.config, digest: 'md5:00' } })), 'corrupt', '"md5:00"'],
];

/**
 * @param {string} manifest
 * @param {any} entry
 * @param {(body: any) => unknown} change
 */
function rewrite(manifest, entry, change) {
  const text = JSON.stringify(change(JSON.parse(fs.readFileSync(manifest, 'utf8')))) ?? '{';
  Object.assign(entry, { digest: sha256(text), size: text.length });
  fs.writeFileSync(join(dirname(manifest), entry.digest.slice(7)), text);
}

for (const [name, damage, code, why] of DAMAGES) {
  test(`a child that cannot be read is listed and says why: ${name}`, (context) => {
    const { root, base, child, first, entry, enter, path, manifest } = family(context);
    damage(manifest, entry);
    enter(first, entry);
    const images = new LayoutImages(root);
    assert.deepEqual(images.children(base), [child]);
    assert.ok(!images.children(undefined).includes(child));

    const said = [`image "${child}"`, 'index.json', why];
    fails(images.get([child], ALL, LIMIT)[0], code, ...said);
    for (const text of [child, child.slice(7), child.slice(0, 20), 'app']) fails(images.resolve([text], LIMIT)[0], code, ...said);
    assert.deepEqual(images.get([child], { parent: true, built: true }, 0n), [{ id: child, document: undefined, parent: base, built: 'built-here' }]);

    const before = fs.readFileSync(path, 'utf8');
    throws(() => images.setParent(child, base), code, ...said);
    throws(() => images.setBuiltHere(child, false), code, ...said);
    throws(() => images.create(child, image([]), undefined), code, ...said);
    assert.equal(fs.readFileSync(path, 'utf8'), before);
  });
}

test('what is back is seen, and what is made again is whole', (context) => {
  const { root, base, child, manifest } = family(context);
  const bytes = fs.readFileSync(manifest);
  fs.rmSync(manifest);
  const images = new LayoutImages(root);
  fails(images.get([child], ALL, LIMIT)[0], 'unavailable');
  fs.writeFileSync(manifest, bytes);
  assert.ok(!(images.get([child], ALL, LIMIT)[0] instanceof Failure));

  fs.rmSync(join(root, 'blobs'), { recursive: true });
  const again = new LayoutImages(root);
  assert.equal(again.create(undefined, CHILD, undefined), child);
  assert.deepEqual(again.get([child], ALL, LIMIT), [{ id: child, document: CHILD, parent: undefined, built: 'elsewhere' }]);
  assert.deepEqual(again.children(base), []);
});

// umoci copies annotations to the entry of an image it derives.
test('notes are not taken from a damaged copy', (context) => {
  const { root, base, child, first, entry, enter } = family(context);
  const notes = { ...entry.annotations, 'dev.layerwise.parent': sha256('other'), 'org.opencontainers.image.ref.name': 'copy' };
  enter({ ...LATER, annotations: notes }, first, entry);
  const images = new LayoutImages(root);
  assert.deepEqual(images.get([child], { parent: true }, 0n), [{ id: child, document: undefined, parent: base, built: 'unknown' }]);
  assert.deepEqual(images.children(sha256('other')), []);
  fails(images.resolve(['copy'], LIMIT)[0], 'not-found', 'blobs/sha256');
});

test('entries without notes are passed over, and said', (context) => {
  const { root, base, child, first, entry, enter, manifest } = family(context);
  fs.rmSync(manifest);
  const { annotations: _, ...bare } = entry;
  const parent = { 'dev.layerwise.parent': base };
  enter(
    first,
    bare,
    { ...bare, annotations: parent },
    { ...bare, annotations: { ...parent, 'dev.layerwise.image': 'no id' } },
    { ...bare, digest: 'md5:00', annotations: { 'org.opencontainers.image.ref.name': 'named' } },
    null,
  );
  const images = new LayoutImages(root);
  assert.deepEqual(images.children(base), []);
  assert.deepEqual(images.children(undefined), [base]);
  const said = 'of its entries cannot be read: ';
  fails(images.get([child], ALL, LIMIT)[0], 'not-found', said);
  fails(images.resolve(['nosuch'], LIMIT)[0], 'not-found', said);
  fails(images.resolve(['named'], LIMIT)[0], 'corrupt', '"md5:00"');
  const layer = sha256('layer');
  throws(() => images.create(undefined, image([layer]), layer), 'not-found', layer, said);
});

test('blobs that cannot be looked up are not an empty store', (context) => {
  const { root, base, child, first, entry, enter } = family(context);
  const images = new LayoutImages(root);
  // Something it has not read yet.
  enter(first, entry, LATER);
  const blobs = join(root, 'blobs/sha256');
  const allFail = (/** @type {string} */ code, /** @type {string} */ why) => {
    for (const work of [
      () => new LayoutImages(root),
      () => images.children(undefined),
      () => images.children(base),
      () => images.get([child], ALL, LIMIT),
      () => images.resolve(['base'], LIMIT),
    ]) {
      throws(work, code, blobs, why);
    }
  };
  for (const denied of [blobs, dirname(blobs)]) {
    fs.chmodSync(denied, 0);
    try {
      if (process.getuid?.() === 0) context.diagnostic('part skipped: this user may read everywhere');
      else allFail('denied', 'permission denied');
    } finally {
      fs.chmodSync(denied, 0o755);
    }
  }
  const moved = join(root, 'moved');
  fs.renameSync(blobs, moved);
  fs.writeFileSync(blobs, '');
  allFail('corrupt', 'is not a directory');
  fs.rmSync(blobs);
  fs.symlinkSync(blobs, blobs);
  allFail('corrupt', 'it is a link, which is not followed');
  fs.rmSync(blobs);
  fs.renameSync(moved, blobs);
  assert.deepEqual(images.children(base), [child]);
});
