// Layouts that try to lead out: links and pipes in every place of one; scenarios and
// transcripts of strangers; marks that came with a layout.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Failure } from '../dist/index.js';
import { LayoutImages, Repositories } from '../dist/node/index.js';
import { Layout } from '../dist/node/layout.js';
import { Marks, userKeyFile } from '../dist/node/marks.js';
import { transcriptOf } from '../dist/transcript.js';
import { directory, engine, image, MAKE, PLATFORM, sha256 } from './support.js';

const LIMIT = 1_000_000n;
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const SECRET = 'a secret of this machine\n'.repeat(3);
const LINK = /it is a link, which is not followed/;

/** @param {import('node:test').TestContext} context */
function layout(context) {
  const top = directory(context);
  fs.writeFileSync(join(top, 'secret'), SECRET);
  fs.mkdirSync(join(top, 'outside'));
  const root = join(top, 'layout');
  new Layout(root).create();
  const store = new Repositories({ layouts: top });
  context.after(() => store.close());
  return { top, root, store };
}

/** The words of a failure, which tell nothing of the secret. @param {unknown} answer */
function refused(answer) {
  assert.ok(answer instanceof Failure, JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? String(value) : value)));
  const words = answer.message.replace(/"[^"]*"/g, '""');
  assert.ok(!words.includes(sha256(SECRET)) && !words.includes(String(SECRET.length)), answer.message);
  return answer.message;
}
/** @param {() => unknown} work */
function caught(work) {
  try {
    return work();
  } catch (thrown) {
    return thrown;
  }
}

test('a blob that is a link is not read, under a wrong digest or the right one', (context) => {
  const { top, root, store } = layout(context);
  for (const digest of [sha256('other'), sha256(SECRET)]) {
    fs.symlinkSync(join(top, 'secret'), join(root, 'blobs/sha256', digest.slice(7)));
    const asked = { mediaType: LAYER, digest, size: BigInt(SECRET.length), annotations: [] };
    for (const answer of [
      store.read('oci:layout', [asked], LIMIT)[0],
      store.retrieve('oci:layout', [{ descriptor: asked }])[0],
      store.retrieve('oci:layout', [{ descriptor: { ...asked, size: 1n } }])[0],
      store.store('oci:copy', [{ descriptor: asked, source: { tag: 'repository', val: 'oci:layout' } }])[0],
      caught(() => store.has('oci:layout', [digest])),
      caught(() => store.tag('oci:layout:name', digest)),
    ]) {
      assert.match(refused(answer), LINK);
    }
  }
  const copies = fs.existsSync(join(top, 'copy')) ? fs.readdirSync(join(top, 'copy'), { recursive: true }) : [];
  assert.ok(!copies.some((name) => String(name).includes(sha256(SECRET).slice(7))));
});

for (const name of ['blobs', 'blobs/sha256', 'index.json', 'oci-layout']) {
  test(`nothing is reached through a link: ${name}`, (context) => {
    const { top, root, store } = layout(context);
    const other = join(top, 'other');
    new Layout(other).create();
    const images = new LayoutImages(root);
    const config = image([]);
    new LayoutImages(other).create(undefined, config, undefined);
    fs.renameSync(join(root, name), join(top, 'aside'));
    fs.symlinkSync(join(other, name), join(root, name));
    const before = fs.readdirSync(other, { recursive: true }).sort();
    const index = fs.readFileSync(join(other, 'index.json'), 'utf8');
    const asked = { mediaType: 'x', digest: sha256(config), size: BigInt(config.length), annotations: [] };
    assert.ok(store.read('oci:layout', [asked], LIMIT)[0] instanceof Failure);
    caught(() => store.write('oci:layout', 'blob', 'x', 'new'));
    caught(() => store.tag('oci:layout:name', asked.digest));
    caught(() => images.create(undefined, image([], { author: 'x' }), undefined));
    assert.deepEqual(fs.readdirSync(other, { recursive: true }).sort(), before);
    assert.equal(fs.readFileSync(join(other, 'index.json'), 'utf8'), index);
  });
}

test('pipes are not opened', (context) => {
  const { root, store } = layout(context);
  const digest = sha256('x');
  spawnSync('mkfifo', [join(root, 'blobs/sha256', digest.slice(7))]);
  const descriptor = { mediaType: LAYER, digest, size: 1n, annotations: [] };
  assert.match(refused(store.retrieve('oci:layout', [{ descriptor }])[0]), /is not a regular file/);
  fs.rmSync(join(root, 'index.json'));
  spawnSync('mkfifo', [join(root, 'index.json')]);
  assert.match(refused(caught(() => new LayoutImages(root))), /is not a regular file/);
});

test('layouts are below their directory, without links on the way', (context) => {
  const { top, root, store } = layout(context);
  fs.symlinkSync('layout', join(top, 'within'));
  fs.symlinkSync('/tmp', join(top, 'out'));
  for (const path of ['within', 'out/x', '../x', 'layout/../../x']) assert.equal(/** @type {any} */ (caught(() => store.write(`oci:${path}`, 'blob', 'x', 'x'))).code, 'denied', path);
  assert.throws(() => new LayoutImages(join(top, 'within'), { within: top }), LINK);
  assert.throws(() => new LayoutImages(join(top, '../x'), { within: top }), /is not below/);
  assert.ok(new LayoutImages(root, { within: top }));
});

test('an export makes nothing outside', (context) => {
  const { top, root, store } = layout(context);
  fs.rmSync(join(root, 'blobs'), { recursive: true });
  fs.symlinkSync(join(top, 'outside'), join(root, 'blobs'));
  const layer = store.write('oci:built', 'blob', LAYER, 'layer');
  const annotations = [{ key: 'containerd.io/uncompressed', value: layer.digest }];
  const exporter = engine.exporter({ registry: store }, { oci: true, image: true, source: { tag: 'repository', val: 'oci:built' } });
  exporter.add({ digest: sha256('step'), results: [{ created: '2026-01-01T00:00:00Z', layers: [{ ...layer, annotations }] }] });
  assert.throws(() => exporter.finalize('oci:layout', 'oci:layout:t'), LINK);
  assert.deepEqual(fs.readdirSync(join(top, 'outside')), []);
});

test('marks are those of all hosts', (context) => {
  const path = join(directory(context), 'marks.key');
  fs.writeFileSync(path, `${Buffer.from(Array.from({ length: 32 }, (_, at) => at)).toString('hex')}\n`, { mode: 0o600 });
  const marks = new Marks(path);
  const [a, b] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
  for (const [parent, digits] of /** @type {const} */ ([
    [b, '5bb1fda9141c0c2d7298ce01aa568987f652ec2b614c188a5cd1d29c29b45713'],
    [undefined, 'c57f22111bfa480145ff9256cee303304ebc7f9502b82d705b5883212ad6aa0f'],
  ])) {
    assert.equal(marks.make(a, parent), `hmac-sha256:${digits}`);
    assert.ok(marks.holds(a, parent, `hmac-sha256:${digits}`));
    for (const text of ['true', '', `hmac-sha256:${digits.toUpperCase()}`, `hmac-sha256:${digits}0`]) assert.ok(!marks.holds(a, parent, text), text);
    assert.ok(!marks.holds(b, parent, `hmac-sha256:${digits}`));
  }
});

test('a mark does not travel, and is one of an image on its parent', (context) => {
  const { top, root } = layout(context);
  const marksKey = join(top, 'state/marks.key');
  const images = new LayoutImages(root, { marksKey });
  const base = images.create(undefined, image([]), undefined);
  const child = images.create(base, image([], { container_config: JSON.parse(MAKE) }), undefined);
  images.setBuiltHere(child, true);
  assert.equal(fs.statSync(marksKey).mode & 0o777, 0o600);
  assert.deepEqual(fs.readdirSync(join(top, 'state')), ['marks.key']);
  const built = (/** @type {LayoutImages} */ store) => /** @type {any} */ (store.get([child], { built: true }, 0n)[0]).built;
  const step = { parent: base, config: MAKE, platform: PLATFORM };
  assert.equal(built(images), 'built-here');
  assert.equal(images.ignoredMarks(), 0);
  for (const other of [new LayoutImages(root, { marksKey: join(top, 'none') }), new LayoutImages(root, { noMarks: true })]) {
    assert.equal(engine.docker({ images: other }).lookup(step).outcome, 'miss');
    assert.equal(built(other), 'unknown');
    assert.equal(other.ignoredMarks(), 1);
  }
  const path = join(root, 'index.json');
  const index = JSON.parse(fs.readFileSync(path, 'utf8'));
  const note = (/** @type {string} */ key, /** @type {string} */ value) => {
    const entries = structuredClone(index);
    entries.manifests[1].annotations[`dev.layerwise.${key}`] = value;
    fs.writeFileSync(path, JSON.stringify(entries));
  };
  for (const [text, wanted] of /** @type {const} */ ([['true', 'unknown'], ['false', 'elsewhere']])) {
    note('built-here', text);
    assert.equal(built(images), wanted);
  }
  note('parent', sha256('another'));
  assert.equal(built(images), 'unknown');
  images.setParent(child, base);
  assert.equal(built(images), 'built-here');
  const other = images.create(undefined, image([], { author: 'other' }), undefined);
  images.setParent(child, other);
  assert.equal(built(images), 'built-here');
  note('parent', sha256('another'));
  images.create(undefined, image([], { author: 'other' }), undefined);
  images.setParent(child, other);
  assert.equal(built(images), 'unknown');
});

test('a key of others is an error', (context) => {
  const { top, root } = layout(context);
  const marksKey = join(top, 'marks.key');
  const images = new LayoutImages(root, { marksKey });
  const id = images.create(undefined, image([]), undefined);
  images.setBuiltHere(id, true);
  const good = fs.readFileSync(marksKey, 'utf8');
  const code = () => /** @type {any} */ (images.get([id], { built: true }, 0n)[0]).code;
  for (const [wanted, content] of /** @type {const} */ ([['corrupt', 'x\n'], ['corrupt', ''], ['corrupt', good.repeat(17)], ['corrupt', good.trim()], [undefined, `${'1'.repeat(64)}\n${good}`]])) {
    fs.writeFileSync(marksKey, content);
    assert.equal(code(), wanted, content);
  }
  fs.chmodSync(marksKey, 0o640);
  assert.equal(code(), 'denied');
  fs.renameSync(marksKey, join(top, 'old'));
  fs.chmodSync(join(top, 'old'), 0o600);
  fs.symlinkSync('old', marksKey);
  assert.equal(code(), 'denied');
  assert.equal(userKeyFile(), process.env['LAYERWISE_MARKS_KEY']);
});

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

test('a scenario of a stranger stays in its directory', (context) => {
  const top = directory(context);
  const outside = join(top, 'outside');
  fs.mkdirSync(join(outside, 'l'), { recursive: true });
  fs.writeFileSync(join(outside, 'file'), 'mine');
  fs.writeFileSync(join(outside, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  fs.writeFileSync(join(outside, 'index.json'), '{"manifests":[]}');
  const before = fs.readdirSync(outside, { recursive: true });
  const link = { x: { link: outside } };
  const run = { text: '#!/bin/sh\necho owned\n', mode: '0755' };
  const hostile = {
    change: { files: { x: { link: join(outside, 'file') } }, calls: [{ change: { x: 'OWNED' } }] },
    plant: { files: { ...link, 'x/planted': run } },
    later: { files: link, calls: [{ change: { 'x/planted': run } }] },
    folder: { files: { ...link, 'x/d': { directory: true } } },
    'through its own': { files: { 'd/e': '', x: { link: 'd' }, 'x/planted': run } },
    remove: { files: link, calls: [{ change: { 'x/file': null } }] },
    lent: { files: link, lend: { files: [{ name: '/l', directory: 'x' }] } },
    images: { files: link, lend: { images: 'oci:x' } },
    'lent above': { lend: { files: [{ name: '/l', directory: '..' }] } },
    'lent elsewhere': { lend: { files: [{ name: '/l', directory: outside }] } },
    'images above': { lend: { images: 'oci:../x' } },
    'images elsewhere': { lend: { images: `oci:${outside}` } },
    'set-id': { files: { run: { text: '', mode: '4755' } } },
    dots: { files: { 'd/../../x': '' } },
    many: { files: Object.fromEntries(Array.from({ length: 5001 }, (_, at) => [`${at}/f`, ''])) },
    deep: { files: { [Array(65).fill('d').join('/')]: '' } },
  };
  for (const [name, one] of Object.entries(hostile)) {
    const path = join(top, 'scenario.json');
    fs.writeFileSync(path, JSON.stringify({ schema: 'layerwise/scenario/1', title: 'x', files: {}, lend: {}, calls: [], ...one }));
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'scenario', path], { encoding: 'utf8' });
    assert.equal(status, 3, `${name}: ${stderr}`);
    assert.equal(fs.readFileSync(join(outside, 'file'), 'utf8'), 'mine', name);
    assert.deepEqual(fs.readdirSync(outside, { recursive: true }), before, name);
  }
});

// As one of 548 KB, which took 5.7 GB.
test('strings are counted before they are put in their place', (context) => {
  const call = (/** @type {number} */ count) => ({ call: 'docker#open', args: [Array(count).fill({ $: 0 })] });
  const text = (/** @type {unknown[]} */ calls) => JSON.stringify({ schema: 'layerwise/transcript/1', component: 'x', strings: ['a'.repeat(500_000)], instances: [{ name: 'x', calls }] });
  for (const [calls, words] of /** @type {const} */ ([
    [[call(6000)], /the strings of a call come to more than 67108864 bytes/],
    [[{ drop: 0, imports: [call(6000)] }], /the strings of a call/],
    [Array(3).fill(call(100)), /the strings of its calls come to more than \d+ bytes/],
  ])) {
    assert.throws(() => transcriptOf(text([...calls])), words);
  }
  const path = join(directory(context), 'bomb.json.gz');
  fs.writeFileSync(path, gzipSync(Buffer.alloc(200 * 2 ** 20, ' ')));
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'replay', path], { encoding: 'utf8' });
  assert.equal(status, 3);
  assert.match(stderr, /has more than \d+ bytes/);
});
