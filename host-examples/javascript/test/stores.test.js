// The stores for Node: directories that nothing leads out of, layouts, layers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Failure } from '../dist/index.js';
import { Directories, LayoutImages, Repositories } from '../dist/node/index.js';
import { Layout } from '../dist/node/layout.js';
import { parseReference } from '../dist/node/reference.js';
import { directory, engine, image, MAKE, PLATFORM, sha256 } from './support.js';

const LIMIT = 1_000_000n;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** @param {unknown} answer */
const codeOf = (answer) => (answer instanceof Failure ? answer.code : answer);
/** @param {() => unknown} work */
function codeThrown(work) {
  try {
    return work();
  } catch (error) {
    return codeOf(error);
  }
}
/**
 * @param {string} path
 * @param {string} text
 * @param {any} precondition
 */
const change = (path, text, precondition = { tag: 'any' }) => ({ path, text, mode: 0o644, parents: true, precondition });

/** @param {import('node:test').TestContext} test */
function files(test) {
  const root = directory(test);
  fs.mkdirSync(join(root, 'open/inner'), { recursive: true });
  fs.mkdirSync(join(root, 'sealed'));
  fs.writeFileSync(join(root, 'secret'), 'secret');
  fs.writeFileSync(join(root, 'open/a'), 'text');
  fs.writeFileSync(join(root, 'sealed/b'), 'sealed');
  const lent = new Directories([
    { name: '/w', directory: join(root, 'open'), writable: true },
    { name: '/sealed', directory: join(root, 'sealed') },
  ]);
  test.after(() => lent.close());
  return { root, lent };
}

test('nothing leads out of the opened directories', (context) => {
  const { root, lent } = files(context);
  fs.symlinkSync('../secret', join(root, 'open/up'));
  fs.symlinkSync(join(root, 'secret'), join(root, 'open/absolute'));
  fs.symlinkSync(root, join(root, 'open/directory'));
  fs.symlinkSync('/sealed/b', join(root, 'open/other'));
  fs.symlinkSync('loop', join(root, 'open/loop'));
  const read = (/** @type {string} */ path) => codeOf(lent.read([path], LIMIT)[0]);
  for (const path of ['/w/../secret', '/secret', 'secret', '/w/up', '/w/absolute', '/w/directory/secret', '/w/inner/../../secret', '/']) {
    assert.equal(read(path), 'denied', path);
    assert.equal(codeOf(lent.write([change(path, 'x')])[0]), 'denied', path);
    assert.equal(codeOf(lent.stat([path], true, {})[0]), 'denied', path);
  }
  for (const path of ['/w/up/x', '/w/directory/x']) assert.equal(codeOf(lent.write([change(path, 'x')])[0]), 'denied', path);
  assert.deepEqual([read('/w/%2e%2e/secret'), read('/w/a\0'), read('/w/none'), read('/w/loop'), read('')], ['invalid', 'invalid', 'not-found', 'other', 'not-found']);
  // An absolute link leads where a path with the same text leads.
  assert.equal(/** @type {any} */ (lent.read(['/w/other'], LIMIT)[0]).text, 'sealed');
  assert.equal(codeOf(lent.write([change('/w/other', 'x')])[0]), 'denied');
  assert.equal(codeOf(lent.write([change('/sealed/c', 'x')])[0]), 'denied');
  assert.equal(fs.readFileSync(join(root, 'secret'), 'utf8'), 'secret');
  assert.deepEqual(fs.readdirSync(root).sort(), ['open', 'sealed', 'secret']);
});

test('a write happens whole, and only when what must hold does', (context) => {
  const { root, lent } = files(context);
  const write = (/** @type {string} */ path, /** @type {string} */ text, /** @type {any} */ precondition) => codeOf(lent.write([change(path, text, precondition)])[0]);
  const unchanged = (/** @type {string} */ text) => ({ tag: 'unchanged', val: sha256(text) });
  fs.chmodSync(join(root, 'open/a'), 0o604);
  assert.equal(write('/w/a', 'more', { tag: 'absent' }), 'conflict');
  assert.equal(write('/w/a', 'more', unchanged('other')), 'conflict');
  assert.equal(write('/w/none', 'more', unchanged('other')), 'conflict');
  assert.equal(write('/w/a', 'more', { tag: 'unchanged', val: 'sha512:00' }), 'invalid');
  assert.equal(fs.readFileSync(join(root, 'open/a'), 'utf8'), 'text');
  assert.equal(write('/w/a', 'more', unchanged('text')), undefined);
  assert.equal(fs.readFileSync(join(root, 'open/a'), 'utf8'), 'more');
  assert.equal(fs.statSync(join(root, 'open/a')).mode & 0o7777, 0o604);
  assert.equal(write('/w/x/y/z', 'new', { tag: 'absent' }), undefined);
  assert.equal(write('/w/inner', 'x', { tag: 'any' }), 'other');
  assert.equal(write('/w/.layerwise-write.tmp', 'x', { tag: 'any' }), 'invalid');
  // The answer ends with the first failure.
  const answers = lent.write([change('/w/1', '1'), change('/w/a', '2', { tag: 'absent' }), change('/w/3', '3')]);
  assert.deepEqual(answers.map(codeOf), [undefined, 'conflict']);
  assert.equal(write('/w/.layerwise-write.lock', 'x', { tag: 'any' }), 'invalid');
  assert.deepEqual(fs.readdirSync(join(root, 'open')).sort(), ['1', 'a', 'inner', 'x']);
});

test('the lock of a writer that was killed is taken over', (context) => {
  const { root, lent } = files(context);
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  fs.writeFileSync(join(root, 'open/.layerwise-write.pid'), String(pid));
  assert.equal(codeOf(lent.write([change('/w/a', 'more')])[0]), undefined);
  assert.deepEqual(fs.readdirSync(join(root, 'open')).sort(), ['a', 'inner']);
});

test('nothing of another writer is taken away', (context) => {
  const { root, lent } = files(context);
  // What writers of other languages have while they write, and of one of ours.
  const theirs = ['.layerwise-write.tmp', '.layerwise-write.lock', '.layerwise-write.0b0c'];
  for (const name of theirs) fs.writeFileSync(join(root, 'open', name), 'theirs');
  assert.equal(codeOf(lent.write([change('/w/a', 'more')])[0]), undefined);
  for (const name of theirs) assert.equal(fs.readFileSync(join(root, 'open', name), 'utf8'), 'theirs');
  const images = join(root, 'images');
  new Layout(images).create();
  fs.writeFileSync(join(images, '.layerwise.tmp'), 'theirs');
  new Layout(images).document(MANIFEST, '{}');
  assert.equal(fs.readFileSync(join(images, '.layerwise.tmp'), 'utf8'), 'theirs');
  assert.deepEqual(fs.readdirSync(images).sort(), ['.layerwise.tmp', 'blobs', 'index.json', 'oci-layout']);
});

test('names of any bytes cross and come back; walks are in the order of bytes', (context) => {
  const { root, lent } = files(context);
  const odd = Buffer.concat([Buffer.from(join(root, 'open/inner/')), Buffer.from([0x25, 0xff, 0xc3, 0xa9, 0xf0, 0x9f])]);
  fs.writeFileSync(odd, Buffer.from([0x61, 0xff, 0xe2, 0x82]));
  fs.writeFileSync(join(root, 'open/B'), '');
  fs.symlinkSync('a', join(root, 'open/l'));
  assert.deepEqual(lent.listNames('/w/inner'), ['%25%FFé%F0%9F']);
  assert.deepEqual(lent.read(['/w/inner/%25%FFé%F0%9F'], LIMIT), [{ text: 'a\ufffd\ufffd\ufffd', lossy: true, digest: sha256(Buffer.from([0x61, 0xff, 0xe2, 0x82])) }]);
  const entries = lent.walk('/w', { target: true, content: true }, 6n);
  assert.deepEqual(entries.map(({ path, kind, target, content }) => [path, kind, target ?? content]), [
    ['.', 'directory', undefined],
    ['B', 'file', sha256('')],
    ['a', 'file', sha256('text')],
    ['inner', 'directory', undefined],
    ['inner/%25%FFé%F0%9F', 'file', sha256(Buffer.from([0x61, 0xff, 0xe2, 0x82]))],
    ['l', 'link', 'a'],
  ]);
  assert.equal(codeThrown(() => lent.walk('/w', {}, 5n)), 'too-large');
  assert.equal(codeThrown(() => lent.walk('/w/a', {}, 5n)), 'other');
  assert.equal(codeOf(lent.read(['/w/a'], 3n)[0]), 'too-large');
  assert.deepEqual(lent.hash([{ prefix: '%25', path: '/w/l', suffix: '!' }]), [sha256('%text!')]);
  const [link, followed, slash] = [lent.stat(['/w/l'], false, {})[0], lent.stat(['/w/l'], true, {})[0], lent.stat(['/w/inner/'], false, {})[0]];
  assert.deepEqual([link, followed, slash].map((entry) => /** @type {any} */ (entry).kind), ['link', 'file', 'directory']);
  assert.equal(codeOf(lent.stat(['/w/a/'], false, {})[0]), 'other');
});

test('renaming replaces nothing, and removing takes names only', (context) => {
  const { root, lent } = files(context);
  fs.writeFileSync(join(root, 'open/b'), 'b');
  assert.equal(codeThrown(() => lent.rename('/w/a', '/w/b')), 'conflict');
  assert.equal(codeThrown(() => lent.rename('/w/a', '/sealed/a')), 'denied');
  assert.equal(codeThrown(() => lent.rename('/w/none', '/w/c')), 'not-found');
  lent.rename('/w/a', '/w/inner/c');
  fs.mkdirSync(join(root, 'open/empty'));
  assert.equal(codeThrown(() => lent.rename('/w/inner', '/w/empty')), 'conflict');
  lent.rename('/w/inner', '/w/moved');
  assert.deepEqual(lent.remove(['/w/b', '/w/moved', '/w/none', '/w', '/sealed/b']).map(codeOf), [undefined, 'other', 'not-found', 'denied', 'denied']);
  assert.deepEqual(lent.remove(['/w/moved/c', '/w/moved', '/w/empty']).map(codeOf), [undefined, undefined, undefined]);
  assert.deepEqual(fs.readdirSync(join(root, 'open')), []);
});

/**
 * A layout with an image of one layer, and a second image that has more.
 * @param {import('node:test').TestContext} test
 */
function layout(test) {
  const root = join(directory(test), 'images');
  const repositories = new Repositories({ layouts: join(root, '..') });
  const layers = ['base', 'made'].map((text) => Buffer.from(text));
  const stored = new Layout(root);
  for (const layer of layers) stored.store(sha256(layer), layer);
  const diffIds = layers.map(sha256);
  const descriptors = layers.map((layer) => ({ mediaType: LAYER, digest: sha256(layer), size: layer.length }));
  const put = (/** @type {number} */ count, /** @type {string} */ name, /** @type {object} */ more) => {
    const config = image(diffIds.slice(0, count), more);
    const { digest } = repositories.write('oci:images', 'blob', 'application/vnd.oci.image.config.v1+json', config);
    const manifest = { schemaVersion: 2, mediaType: MANIFEST, config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length }, layers: descriptors.slice(0, count) };
    repositories.tag(`oci:images:${name}`, repositories.write('oci:images', 'manifest', MANIFEST, JSON.stringify(manifest)).digest);
    return digest;
  };
  const base = put(1, 'base', {});
  const app = put(2, 'app', { container_config: JSON.parse(MAKE) });
  return { root, repositories, images: new LayoutImages(root), base, app, diffIds };
}

test('a layout is an image store that remembers parents and who built what', (context) => {
  const { root, images, base, app, diffIds } = layout(context);
  assert.deepEqual(images.children(undefined), [base, app].sort());
  const step = { parent: base, config: MAKE, platform: PLATFORM };
  assert.equal(engine.docker({ images }).lookup(step).outcome, 'miss');
  images.setParent(app, base);
  // Nobody said that it was built here: it is not trusted.
  assert.equal(engine.docker({ images }).lookup(step).outcome, 'miss');
  images.setBuiltHere(app, true);
  assert.deepEqual(engine.docker({ images: new LayoutImages(root) }).lookup(step).image, app);
  assert.deepEqual(images.get([app], { parent: true, built: true }, 0n), [{ id: app, document: undefined, parent: base, built: 'built-here' }]);
  for (const name of ['app', app, app.slice(7), app.slice(7, 20)]) assert.equal(/** @type {any} */ (images.resolve([name], LIMIT)[0]).id, app, name);
  assert.deepEqual(images.resolve(['none', 'no such', '../x'], LIMIT).map(codeOf), ['not-found', 'not-found', 'not-found']);
  const document = image(diffIds, { author: 'restored' });
  const id = images.create(base, document, diffIds[1]);
  assert.equal(images.create(base, document, diffIds[1]), id);
  assert.deepEqual(images.children(base), [app, id].sort());
  assert.equal(images.get([id], { built: true }, 0n).map((one) => /** @type {any} */ (one).built)[0], 'elsewhere');
  assert.equal(codeThrown(() => images.create(undefined, image([sha256('nowhere')]), undefined)), 'not-found');
  assert.equal(codeThrown(() => images.create(undefined, document, diffIds[0])), 'invalid');
  assert.equal(codeThrown(() => images.setParent(app, sha256('none'))), 'not-found');
  // Members of other tools stay, and members are in order.
  const path = join(root, 'index.json');
  fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replace('{', '{"theirs":1,'));
  images.setBuiltHere(app, false);
  const text = fs.readFileSync(path, 'utf8');
  assert.match(text, /^\{"manifests":\[.*\],"mediaType":"[^"]*","schemaVersion":2,"theirs":1\}$/);
});

test('what a layout says is checked: broken bytes, limits, copied notes', (context) => {
  const { root, images, base, app } = layout(context);
  images.setParent(app, base);
  images.setBuiltHere(app, true);
  const path = join(root, 'blobs/sha256', app.slice(7));
  const size = BigInt(fs.statSync(path).size);
  assert.deepEqual(images.get([app, base], { document: true }, size).map(codeOf).length, 1);
  assert.equal(codeOf(images.get([app], { document: true }, size - 1n)[0]), 'too-large');
  fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replace('linux', 'minix'));
  assert.equal(codeOf(images.get([app], { document: true }, LIMIT)[0]), 'corrupt');
  // umoci copies annotations to the image it derives; there they mean nothing.
  const index = join(root, 'index.json');
  fs.writeFileSync(index, fs.readFileSync(index, 'utf8').replace(`"dev.layerwise.image":"${app}"`, `"dev.layerwise.image":"${sha256('other')}"`));
  assert.deepEqual(images.get([app], { parent: true, built: true }, LIMIT), [{ id: app, document: undefined, parent: undefined, built: 'unknown' }]);
  fs.writeFileSync(index, '{"manifests":[');
  assert.equal(codeThrown(() => images.children(undefined)), 'truncated');
});

test('layouts are repositories: names move, manifests go with their blobs', (context) => {
  const { root, repositories: store } = layout(context);
  const [[app]] = /** @type {any} */ (store.resolve(['oci:images:app']));
  assert.equal(codeOf(store.resolve(['oci:images'])[0]), 'invalid');
  assert.equal(codeOf(store.resolve(['oci:images:none'])[0]), 'not-found');
  assert.equal(store.locate('oci:images:app'), 'oci:images');
  assert.equal(store.locate('busybox:1'), 'docker.io/library/busybox');
  store.tag('oci:images:base', app.digest);
  assert.deepEqual(store.resolve(['oci:images:base']).map((one) => /** @type {any} */ (one)[0].digest), [app.digest]);
  const [text] = store.read('oci:images', [app], LIMIT);
  assert.equal(JSON.parse(String(text)).mediaType, MANIFEST);
  assert.deepEqual(store.read('oci:images', [{ ...app, size: 3n }, { ...app, digest: sha256('none') }, { ...app, size: LIMIT + 1n }], LIMIT).map(codeOf), ['corrupt', 'not-found', 'too-large']);
  assert.deepEqual(store.has('oci:images', [app.digest, sha256('none')]), ['present', 'absent']);
  assert.deepEqual(store.has('oci:nowhere', [app.digest]), ['absent']);
  store.delete('oci:images', app.digest);
  assert.deepEqual(store.has('oci:images', [app.digest]), ['absent']);
  assert.equal(codeThrown(() => store.delete('oci:images', app.digest)), 'not-found');
  assert.equal(codeThrown(() => store.write('oci:images', 'manifest', 'text/plain', JSON.stringify({ mediaType: MANIFEST }))), 'invalid');
  for (const reference of ['oci:../other', 'oci:/etc']) assert.equal(codeOf(store.resolve([reference])[0]), 'denied', reference);
  fs.symlinkSync('/tmp', join(root, '../out'));
  assert.equal(codeThrown(() => store.write('oci:out/x', 'blob', '', 'x')), 'denied');
});

test('layers are copied and checked, and neither unpacked nor packed', (context) => {
  const root = directory(context);
  const layer = Buffer.from('a layer');
  const store = new Repositories({ layouts: root, provider: () => layer });
  context.after(() => store.close());
  const descriptor = { mediaType: LAYER, digest: sha256(layer), size: BigInt(layer.length), annotations: [] };
  const put = (/** @type {any} */ source, /** @type {any} */ more = {}) => store.store('oci:l', [{ descriptor: { ...descriptor, ...more }, source }])[0];
  assert.deepEqual(put({ tag: 'provider', val: 'x' }), { descriptor, written: true });
  for (const answer of [put({ tag: 'file', val: '/w/layer.tar' }), put({ tag: 'file', val: '/w/layer.tar' }, { digest: '', size: 0n }), put({ tag: 'provider', val: 'x' }, { digest: '' })]) {
    assert.equal(codeOf(answer), 'unsupported');
    assert.match(String(answer), /cannot store the layer "/);
  }
  const packed = gzipSync(layer);
  new Layout(join(root, 'l')).store(sha256(packed), packed);
  const zipped = { ...descriptor, mediaType: `${LAYER}+gzip`, digest: sha256(packed), size: BigInt(packed.length) };
  const retrieve = (/** @type {any} */ of, /** @type {any} */ more = {}) => store.retrieve('oci:l', [{ descriptor: of, ...more }])[0];
  assert.deepEqual(retrieve(zipped, { diffId: sha256(layer) }), { diffId: sha256(layer), size: 7n });
  assert.equal(codeOf(retrieve(zipped, { diffId: sha256('other') })), 'corrupt');
  const before = fs.readdirSync(root, { recursive: true });
  const answer = retrieve(zipped, { into: { root: '/w', prefix: 'p' } });
  assert.equal(codeOf(answer), 'unsupported');
  assert.ok(String(answer).includes(`cannot unpack the layer "${zipped.digest}"`));
  assert.deepEqual(fs.readdirSync(root, { recursive: true }), before);
});

test('a layer that says or brings too much is refused', (context) => {
  const root = directory(context);
  const store = new Repositories({ layouts: root, provider: () => assert.fail('it is read') });
  context.after(() => store.close());
  const huge = { mediaType: LAYER, digest: sha256('x'), size: 99n << 40n, annotations: [] };
  for (const answer of [store.retrieve('oci:l', [{ descriptor: huge }])[0], store.retrieve('127.0.0.1:1/a', [{ descriptor: huge }])[0], store.store('oci:l', [{ descriptor: huge, source: { tag: 'provider', val: 'x' } }])[0], store.store('oci:l', [{ descriptor: huge, source: { tag: 'repository', val: '127.0.0.1:1/a' } }])[0]]) {
    assert.equal(codeOf(answer), 'too-large');
    assert.match(String(answer), /limit layer-bytes/);
  }
  const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20), { level: 9 });
  assert.ok(bomb.length < 2 ** 20);
  new Layout(join(root, 'l')).store(sha256(bomb), bomb);
  const answer = store.retrieve('oci:l', [{ descriptor: { ...huge, mediaType: `${LAYER}+gzip`, digest: sha256(bomb), size: BigInt(bomb.length) } }])[0];
  assert.equal(codeOf(answer), 'too-large');
  assert.match(String(answer), /limit layer-ratio/);
});

test('a walk goes only so deep', (context) => {
  const { root, lent } = files(context);
  fs.mkdirSync(join(root, 'open', 'd/'.repeat(300)), { recursive: true });
  assert.throws(() => lent.walk('/w', {}, 1n << 40n), /limit walk-depth of 256/);
  const walk = (/** @type {any} */ limits) => {
    const more = new Directories([{ name: '/w', directory: join(root, 'open') }], limits);
    context.after(() => more.close());
    return () => more.walk('/w', {}, 1n << 40n).length;
  };
  assert.equal(walk({ walkDepth: 300 })(), 303);
  assert.throws(walk({ walkDepth: 300, walkPathBytes: 1000 }), /limit walk-path-bytes/);
  assert.throws(walk({ walkDepth: 300, walkEntries: 100 }), /more than 100 entries/);
});

test('names are completed as Docker does', () => {
  const full = (/** @type {string} */ text) => parseReference(text)?.full;
  assert.deepEqual(['busybox', 'a/b:1', 'localhost/a', 'host:5000/a', 'index.docker.io/a', 'Host/a', 'ghcr.io/a/b__c-d.e'].map(full), [
    'docker.io/library/busybox:latest', 'docker.io/a/b:1', 'localhost/a:latest', 'host:5000/a:latest', 'docker.io/library/a:latest', 'Host/a:latest', 'ghcr.io/a/b__c-d.e:latest',
  ]);
  for (const text of ['', 'A', 'a/', '/a', 'a//b', 'a:', 'a:b:c', 'a@b', '-a', 'a..b', 'a b', '../a', `a:${'x'.repeat(129)}`]) assert.equal(full(text), undefined, text);
});
