// The component with the stores inside: the same answers as over stores that are lent, and nothing that was not lent.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DeadlineExceeded, Engine, LayerwiseError, Memory, Stopped, Unsupported } from '../dist/index.js';
import { Wasi, withDeadline } from '../dist/node/index.js';
import { exported, LAYER, Layout, markOf } from './layouts.js';
import { directory, image, MAKE, PLATFORM, sha256 } from './support.js';

const VECTORS = fileURLToPath(new URL('../../../tests/vectors/', import.meta.url));
const BASE = image([]);
const CHILD = image([], { container_config: JSON.parse(MAKE) });
const KEY = Buffer.from('0001020304050607080910111213141516171819202122232425262728293031', 'hex');

/** @param {import('../dist/node/index.js').WasiOptions} options */
const over = async (options) => Engine.load({ wasi: new Wasi(options) });

/**
 * A layout with a base and an image that was built on it here, and the key that proves it.
 * @param {import('node:test').TestContext} context
 */
function built(context) {
  const root = directory(context);
  fs.writeFileSync(join(root, 'key'), `${KEY.toString('hex')}\n`, { mode: 0o600 });
  const layout = new Layout(join(root, 'images'));
  const base = layout.image(BASE, { name: 'base' });
  layout.image(CHILD, { parent: base, name: 'app', mark: markOf(KEY, sha256(CHILD), base) });
  return { root, layout, base };
}

/** What a step that hits and one that misses come to. @param {Engine} engine @param {object} lent @param {string} base */
function asked(engine, lent, base) {
  const session = engine.docker(lent);
  const answers = [MAKE, MAKE.replace('fast', 'safe')].map((config) => {
    const step = { parent: base, config, platform: PLATFORM };
    return [session.lookup(step), session.explain(step)];
  });
  session.close();
  return answers;
}

test('a layout gives the answers that images in memory give, and only with the key those of what was built here', async (context) => {
  const { root, base } = built(context);
  const plain = await Engine.load();
  const inMemory = (/** @type {'built-here' | 'unknown'} */ by) => {
    const images = new Memory(sha256);
    images.add(BASE, { name: 'base' });
    images.add(CHILD, { parent: base, built: by, name: 'app' });
    return asked(plain, { images }, base);
  };
  const directories = { '/w': root };
  const withKey = await over({ store: 'oci:/w/images', directories, environment: { LAYERWISE_MARKS_KEY: '/w/key' } });
  assert.deepEqual(asked(withKey, {}, base), inMemory('built-here'));
  assert.equal(/** @type {any} */ (asked(withKey, {}, base)[0]?.[0]).outcome, 'hit-local');
  assert.deepEqual(asked(await over({ store: 'oci:/w/images', directories }), {}, base), inMemory('unknown'));
});

test('an engine with storage drivers has its images under the ids of its own files', async (context) => {
  const root = directory(context);
  assert.equal(spawnSync('tar', ['-xf', join(VECTORS, 'docker-diff/root.tar.gz'), '-C', root]).status, 0);
  const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('repositories.json'));
  const id = JSON.parse(fs.readFileSync(join(root, String(names)), 'utf8')).Repositories.app['app:old'];
  const session = (await over({ store: 'docker:/w', directories: { '/w': root } })).docker({}, { cacheFrom: [{ reference: 'app:old', trusted: true }] });
  assert.deepEqual(session.describe().sources, [id]);
  assert.ok(session.explain({ config: '{"Cmd":["other"]}', platform: { os: 'linux' } }).considered > 0n);
});

test('an engine with containerd needs the platform that WASI does not tell', async (context) => {
  const root = directory(context);
  const roots = join(VECTORS, 'roots-29-containerd');
  assert.equal(spawnSync('tar', ['-xf', join(roots, 'r4-mixed.tar.gz'), '-C', root]).status, 0);
  const { records } = JSON.parse(fs.readFileSync(join(roots, 'r4-mixed.expected.json'), 'utf8'));
  /** @type {[string, string][]} */
  const manifests = records
    .filter((/** @type {any} */ { name, target }) => target.mediaType.endsWith('manifest.v1+json') && name.startsWith('docker.io/library/'))
    .map((/** @type {any} */ { name, target }) => [name, target.digest]);
  assert.ok(manifests.length > 3);
  const options = {
    cacheFrom: manifests.map(([reference]) => ({ reference })),
    store: /** @type {const} */ ('containerd'),
    machine: PLATFORM,
    semantics: { reading: /** @type {const} */ ('compatible') },
  };
  const described = async (/** @type {Record<string, string>} */ environment) => (await over({ store: 'containerd:/root', directories: { '/root': root }, environment })).docker({}, options).describe();
  assert.deepEqual(await described({ LAYERWISE_PLATFORM: 'linux/amd64' }), { sources: manifests.map(([, digest]) => digest), skipped: [] });
  assert.match(JSON.stringify((await described({})).skipped), /LAYERWISE_PLATFORM/);
});

test('what WASI cannot do is unsupported, and nothing is written', async (context) => {
  const { root, layout, base } = built(context);
  const layer = layout.blob('a layer', LAYER);
  const before = fs.readdirSync(root, { recursive: true });
  const engine = await over({ store: 'oci:images', directories: { '.': root } });
  const steps = engine.dockerfile({}, 'FROM scratch\nCOPY key /\n', { host: PLATFORM, packer: 'client', context: '.' });
  steps.advance();
  assert.throws(() => steps.advance(), (/** @type {Error} */ error) => error instanceof Unsupported && /not under WASI, which tells no owners and modes/.test(error.message));
  assert.throws(() => exported(engine, layer, 'oci:images', 'oci:new'), /permission denied/);
  assert.deepEqual(fs.readdirSync(root, { recursive: true }), before);
  assert.throws(() => asked(/** @type {any} */ (engine), { images: new Memory(sha256) }, base), /nothing else can be lent/);
});

test('without a store there is none, and what is not there cannot be lent', async (context) => {
  const { root, base } = built(context);
  const none = await over({});
  assert.throws(() => asked(none, {}, base), /LAYERWISE_STORE/);
  for (const path of [join(root, 'none'), join(root, 'key')]) {
    const engine = await over({ directories: { '/x': path } });
    assert.throws(() => engine.instance(), (/** @type {LayerwiseError} */ error) => error.kind === 'invalid' && error.subject === path);
  }
});

test('instances share nothing, and close what they opened', async (context) => {
  const { root, layout, base } = built(context);
  const engine = await over({ store: 'oci:/w/images', directories: { '/w': root } });
  const open = () => fs.readdirSync(process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd').length;
  const first = engine.instance();
  const session = first.docker.open({ cacheFrom: [{ reference: 'base' }] });
  const before = open();
  for (let run = 0; run < 5; run++) asked(engine, {}, base);
  assert.equal(open(), before);
  // Each has the directory as it was lent to it.
  layout.write([]);
  assert.deepEqual(session.describe().sources, [base]);
  assert.deepEqual(engine.docker({}, { cacheFrom: [{ reference: 'base' }] }).describe().sources, []);
  first.close();
  assert.ok(open() < before + 5);
});

test('a full memory stops an instance with its stores, and nothing else', async (context) => {
  const { root, base } = built(context);
  const wasi = new Wasi({ store: 'oci:/w/images', directories: { '/w': root } });
  const engine = await Engine.load({ wasi, memory: 4 * 2 ** 20 });
  const huge = JSON.stringify({ Env: Array.from({ length: 200_000 }, (_, at) => `VARIABLE${at}=value`) });
  assert.throws(() => engine.instance().docker.compareConfigs(huge, huge, {}), Stopped);
  assert.equal(asked(engine, {}, base).length, 2);
});

test('a deadline ends a call that waits for a registry', async (context) => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  context.after(() => silent.close());
  const { port } = /** @type {import('node:net').AddressInfo} */ (silent.address());
  await Promise.all([
    once(silent, 'connection').then(([socket]) => context.after(() => socket.destroy())),
    assert.rejects(withDeadline(10_000, new URL('./job.js', import.meta.url), { registry: `127.0.0.1:${port}` }), DeadlineExceeded),
  ]);
});
