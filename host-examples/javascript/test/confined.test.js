// Layouts that try to lead out of the directory that is lent: links and pipes in every place of one; marks that came with
// a layout; transcripts of strangers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Engine, LayerwiseError } from '../dist/index.js';
import { Wasi } from '../dist/node/index.js';
import { Descriptor } from '../dist/node/preopened.js';
import { transcriptOf } from '../dist/transcript.js';
import { Layout, MANIFEST, markOf } from './layouts.js';
import { directory, image, MAKE, PLATFORM, sha256 } from './support.js';

const SECRET = 'a secret of this machine\n'.repeat(3);
const KEY = Buffer.alloc(32, 7);
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** @param {import('node:test').TestContext} context */
async function lent(context) {
  const top = directory(context);
  fs.writeFileSync(join(top, 'secret'), SECRET);
  const layout = new Layout(join(top, 'lent/layout'));
  const base = layout.image(image([]), { name: 'base' });
  const open = async (/** @type {string} */ store) => Engine.load({ wasi: new Wasi({ store, directories: { '/w': join(top, 'lent') } }) });
  return { top, layout, base, open, engine: await open('oci:/w/layout') };
}

/** The words of what is refused, which tell nothing of the secret. @param {() => unknown} work */
function refused(work) {
  try {
    work();
  } catch (thrown) {
    assert.ok(thrown instanceof LayerwiseError, String(thrown));
    const words = thrown.message.replace(/"[^"]*"/g, '""');
    assert.ok(!words.includes('secret of') && !words.includes(sha256(SECRET)), thrown.message);
    return thrown.message;
  }
  return assert.fail('it was not refused');
}

/** @param {Engine} engine @param {string} digest */
const opened = (engine, digest) => engine.cache({}, 'oci:/w/layout', { mediaType: MANIFEST, digest, size: SECRET.length });

test('a blob that is a link is not read, under a wrong digest or the right one', async (context) => {
  const { top, layout, engine } = await lent(context);
  fs.writeFileSync(join(top, 'lent/inner'), SECRET);
  for (const target of [join(top, 'secret'), '../../../../secret', '../../../inner']) {
    for (const digest of [sha256('other'), sha256(SECRET)]) {
      fs.symlinkSync(target, layout.path(digest));
      refused(() => opened(engine, digest));
      fs.rmSync(layout.path(digest));
    }
  }
});

for (const name of ['blobs', 'blobs/sha256', 'index.json', 'oci-layout']) {
  test(`nothing is reached through a link that leads out: ${name}`, async (context) => {
    const { top, layout, open } = await lent(context);
    const other = new Layout(join(top, 'other'));
    const id = other.image(image([], { author: 'other' }), { name: 'base' });
    fs.renameSync(join(layout.root, name), join(top, 'aside'));
    for (const target of [join(other.root, name), `${'../'.repeat(name.split('/').length + 1)}other/${name}`]) {
      fs.symlinkSync(target, join(layout.root, name));
      const engine = await open('oci:/w/layout');
      const found = () => engine.docker({}, { cacheFrom: [{ reference: 'base' }] }).describe();
      if (name === 'blobs' || name === 'blobs/sha256') {
        const { sources, skipped } = found();
        assert.deepEqual(sources, []);
        assert.ok(skipped.length === 1 && !JSON.stringify(skipped).includes(id));
      } else assert.ok(!JSON.stringify(found().sources).includes(id));
      fs.rmSync(join(layout.root, name));
    }
  });
}

test('pipes are not opened', async (context) => {
  const { layout, open, engine } = await lent(context);
  const digest = sha256('x');
  spawnSync('mkfifo', [layout.path(digest)]);
  refused(() => opened(engine, digest));
  fs.rmSync(join(layout.root, 'index.json'));
  spawnSync('mkfifo', [join(layout.root, 'index.json')]);
  const again = await open('oci:/w/layout');
  assert.deepEqual(again.docker({}, { cacheFrom: [{ reference: 'base' }] }).describe().sources, []);
});

test('layouts are below their directory, without links on the way', async (context) => {
  const { top, base, open } = await lent(context);
  fs.renameSync(join(top, 'lent/layout'), join(top, 'layout'));
  fs.symlinkSync('../layout', join(top, 'lent/up'));
  fs.symlinkSync(join(top, 'layout'), join(top, 'lent/absolute'));
  const step = { parent: base, config: MAKE, platform: PLATFORM };
  for (const store of ['oci:/w/up', 'oci:/w/absolute', 'oci:/w/../layout', 'oci:/layout', `oci:${top}/layout`, 'oci:../layout', 'docker:', `archive:${top}/secret`]) {
    const engine = await open(store);
    refused(() => engine.docker({}).lookup(step));
  }
});

test('directories that are lent are read, and lead nowhere', (context) => {
  const root = directory(context);
  fs.mkdirSync(join(root, 'lent/inner/deep'), { recursive: true });
  fs.writeFileSync(join(root, 'secret'), SECRET);
  fs.writeFileSync(join(root, 'lent/a'), 'text');
  for (const [name, target] of [['up', '../secret'], ['absolute', join(root, 'secret')], ['loop', 'loop'], ['in', 'inner/../a'], ['inner/back', '../a'], ['out', 'inner/../..']]) {
    fs.symlinkSync(String(target), join(root, 'lent', String(name)));
  }
  spawnSync('mkfifo', [join(root, 'lent/pipe')]);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/lent/inner/deep/`), Buffer.from([0xff])]), '');
  const all = new Set();
  const top = Descriptor.lent(join(root, 'lent'), all);
  const caught = (/** @type {() => unknown} */ work) => {
    try {
      return work();
    } catch (thrown) {
      return thrown;
    }
  };
  const read = (/** @type {string} */ path, symlinkFollow = true, from = top) =>
    caught(() => {
      const file = from.openAt({ symlinkFollow }, path, {}, {});
      const stream = file.readViaStream(0n);
      try {
        return Buffer.from(stream.blockingRead(1n << 40n)).toString();
      } finally {
        stream[Symbol.dispose ?? Symbol.for('dispose')]();
        file[Symbol.dispose ?? Symbol.for('dispose')]();
      }
    });
  assert.deepEqual(['a', './inner/../a', 'in', 'inner/back'].map((path) => read(path)), ['text', 'text', 'text', 'text']);
  assert.deepEqual(['up', 'absolute', '../secret', '/a', `${root}/secret`, 'out/secret', 'inner/../../secret', '..'].map((path) => read(path)), Array(8).fill('not-permitted'));
  assert.deepEqual([read('loop'), read('in', false), read('none'), read('none/a'), read('a/'), read('a/b'), read(''), read('a\0')], ['loop', 'loop', 'no-entry', 'no-entry', 'not-directory', 'not-directory', 'no-entry', 'invalid']);
  assert.deepEqual([read('pipe'), read('inner')], ['unsupported', 'is-directory']);
  // A directory that was opened confines what is opened in it.
  const inner = top.openAt({}, 'inner', { directory: true }, {});
  assert.deepEqual([read('../a', true, inner), read('back', true, inner)], ['not-permitted', 'not-permitted']);
  for (const work of [
    () => top.openAt({}, 'new', { create: true }, { write: true }),
    () => top.openAt({}, 'a', {}, { write: true }),
    () => top.openAt({}, 'a', { truncate: true }, {}),
    ...['createDirectoryAt', 'unlinkFileAt', 'removeDirectoryAt', 'renameAt', 'writeViaStream'].map((name) => () => /** @type {any} */ (top)[name]('a')),
  ]) {
    assert.equal(caught(work), 'not-permitted');
  }
  assert.equal(fs.readFileSync(join(root, 'lent/a'), 'utf8'), 'text');
  // What is exchanged for a link after it was opened is not followed.
  fs.renameSync(join(root, 'lent/inner'), join(root, 'lent/moved'));
  fs.symlinkSync(root, join(root, 'lent/inner'));
  assert.deepEqual(caught(() => inner.readDirectory().readDirectoryEntry()), { type: 'symbolic-link', name: 'back' });
  assert.equal(read('inner/secret'), 'not-permitted');
  assert.equal(caught(() => inner.openAt({}, 'deep', {}, {}).readDirectory().readDirectoryEntry()), 'illegal-byte-sequence');
  assert.equal(all.size, 3);
  for (const one of all) one.end();
});

test('a mark does not travel, and is one of an image on its parent', async (context) => {
  const { top, layout, base } = await lent(context);
  const child = image([], { container_config: JSON.parse(MAKE) });
  layout.image(child, { parent: base, mark: markOf(KEY, sha256(child), base) });
  const step = { parent: base, config: MAKE, platform: PLATFORM };
  const outcome = async (/** @type {string | undefined} */ key) => {
    if (key !== undefined) fs.writeFileSync(join(top, 'lent/key'), key, { mode: 0o600 });
    /** @type {Record<string, string>} */
    const environment = key === undefined ? {} : { LAYERWISE_MARKS_KEY: '/w/key' };
    const engine = await Engine.load({ wasi: new Wasi({ store: 'oci:/w/layout', directories: { '/w': join(top, 'lent') }, environment }) });
    return engine.docker({}).lookup(step).outcome;
  };
  const [mine, other] = [KEY, Buffer.alloc(32, 8)].map((key) => `${key.toString('hex')}\n`);
  assert.deepEqual([await outcome(mine), await outcome(`${other}${mine}`), await outcome(other), await outcome(undefined)], ['hit-local', 'hit-local', 'miss', 'miss']);
  const [first, entry] = layout.entries();
  for (const mark of ['true', 'false', markOf(KEY, sha256(child), ''), markOf(KEY, base, base)]) {
    layout.write([first, { ...entry, annotations: { ...entry.annotations, 'dev.layerwise.built-here': mark } }]);
    assert.equal(await outcome(mine), 'miss', mark);
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
