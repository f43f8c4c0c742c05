// Registries over HTTP: a real one, and one that wants tokens and may lie.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Failure } from '../dist/index.js';
import { fromDockerConfig, Repositories } from '../dist/node/index.js';
import { follow, shown, withoutAddresses } from '../dist/node/address.js';
import { needs } from './live.js';
import { directory, engine, sha256 } from './support.js';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const LIMIT = 1_000_000n;

/** @param {unknown} answer */
const codeOf = (answer) => (answer instanceof Failure ? answer.code : answer);
/** @param {() => unknown} work */
function thrown(work) {
  try {
    return work();
  } catch (error) {
    return codeOf(error);
  }
}

/**
 * What every registry must do.
 * @param {Repositories} store
 * @param {string} repository
 */
function worksAsRepository(store, repository) {
  const config = store.write(repository, 'blob', 'application/vnd.oci.image.config.v1+json', '{"config":1}');
  const document = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: { mediaType: config.mediaType, digest: config.digest, size: Number(config.size) }, layers: [] });
  const manifest = store.write(repository, 'manifest', MANIFEST, document);
  assert.equal(manifest.digest, sha256(document));
  store.tag(`${repository}:one`, manifest.digest);
  assert.deepEqual(store.resolve([`${repository}:one`, `${repository}:none`]).map(codeOf), [[manifest], 'not-found']);
  assert.deepEqual(store.read(repository, [manifest, config, { ...config, digest: sha256('none') }], LIMIT).map(codeOf), [document, '{"config":1}', 'not-found']);
  assert.deepEqual(store.read(repository, [{ ...config, size: config.size + 1n }, { ...config, size: LIMIT + 1n }], LIMIT).map(codeOf), ['truncated', 'too-large']);
  assert.deepEqual(store.has(repository, [config.digest, sha256('none')]), ['present', 'absent']);
  return manifest;
}

test('a real registry: documents, names, layers, and a cache of BuildKit in it', async (context) => {
  const program = needs(context, 'docker-registry', 'registry');
  if (!program) return;
  const root = directory(context);
  const port = await freePort();
  const config = join(root, 'config.yml');
  writeFileSync(config, `version: 0.1\nstorage: {filesystem: {rootdirectory: ${root}/data}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:${port}"}\n`);
  const server = spawn(program, ['serve', config], { stdio: 'ignore' });
  context.after(() => server.kill());
  await listens(port);
  const host = `127.0.0.1:${port}`;
  const layer = Buffer.from('a layer');
  const store = new Repositories({ layouts: root, credentials: () => undefined, provider: () => layer });
  context.after(() => store.close());
  const manifest = worksAsRepository(store, `${host}/app`);
  const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(layer), size: BigInt(layer.length), annotations: [] };
  const put = (/** @type {string} */ to, /** @type {any} */ source) => store.store(to, [{ descriptor, source }])[0];
  assert.deepEqual(put(`${host}/app`, { tag: 'provider', val: 'x' }), { descriptor, written: true });
  assert.deepEqual(put(`${host}/app`, { tag: 'provider', val: 'x' }), { descriptor, written: false });
  assert.deepEqual(put(`${host}/other/app`, { tag: 'repository', val: `${host}/app` }), { descriptor, written: true });
  assert.deepEqual(put('oci:copied', { tag: 'repository', val: `${host}/app` }), { descriptor, written: true });
  assert.deepEqual(store.retrieve('oci:copied', [{ descriptor }]), [{ diffId: sha256(layer), size: 7n }]);

  const exporter = engine.exporter({ registry: store }, { oci: true, image: true, source: { tag: 'repository', val: `${host}/app` } });
  const annotations = [{ key: 'containerd.io/uncompressed', value: sha256(layer) }];
  exporter.add({ digest: sha256('step'), results: [{ created: '2026-01-01T00:00:00Z', layers: [{ ...descriptor, annotations }] }] });
  const { digest, size } = JSON.parse(exporter.finalize(`${host}/cache`, `${host}/cache:main`).descriptor);
  const cache = engine.cache({ registry: store }, `${host}/cache`, { mediaType: MANIFEST, digest, size });
  assert.deepEqual(cache.contents().roots, [sha256('step')]);

  store.delete(`${host}/app`, manifest.digest);
  assert.deepEqual(store.resolve([`${host}/app@${manifest.digest}`]).map(codeOf), ['not-found']);
  server.kill();
  await once(server, 'exit');
  assert.deepEqual(store.resolve([`${host}/app:one`]).map(codeOf), ['unavailable']);
});

test('a registry with tokens: asked for once a scope, out of the Docker config, and its lies are found', async (context) => {
  const server = spawn(process.execPath, [fileURLToPath(new URL('./token-registry.js', import.meta.url))], { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => server.kill());
  const [line] = await once(server.stdout, 'data');
  const host = `127.0.0.1:${Number(line)}`;
  const path = directory(context);
  writeFileSync(join(path, 'config.json'), JSON.stringify({ auths: { [host]: { auth: Buffer.from('me:secret').toString('base64') } } }));
  process.env['DOCKER_CONFIG'] = path;
  context.after(() => delete process.env['DOCKER_CONFIG']);
  assert.deepEqual(fromDockerConfig(host), { user: 'me', password: 'secret' });
  assert.equal(fromDockerConfig('elsewhere'), undefined);
  const store = new Repositories({ layouts: path });
  context.after(() => store.close());
  const manifest = worksAsRepository(store, `${host}/app`);
  const seen = await (await fetch(`http://${host}/seen`)).json();
  assert.equal(seen.filter((/** @type {string} */ one) => one === 'GET /token').length, 2);
  store.tag(`${host}/app:lies`, manifest.digest);
  assert.deepEqual(store.read(`${host}/app`, [manifest], LIMIT).map(codeOf), ['corrupt']);
  const strangers = new Repositories({ layouts: path, credentials: () => ({ user: 'me', password: 'wrong' }) });
  context.after(() => strangers.close());
  assert.deepEqual(strangers.resolve([`${host}/app:one`]).map(codeOf), ['unauthorized']);
  assert.equal(thrown(() => store.locate('UPPER')), 'invalid');
});

test('a registry that is hostile learns nothing, tells nothing and ends', async (context) => {
  const server = spawn(process.execPath, [fileURLToPath(new URL('./hostile-registry.js', import.meta.url))], { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => server.kill());
  const [line] = await once(server.stdout, 'data');
  const [port, other] = String(line).trim().split(' ');
  const opened = (/** @type {object} */ more) => {
    const store = new Repositories({ layouts: directory(context), credentials: () => ({ user: 'me', password: 'pass-word' }), ...more });
    context.after(() => store.close());
    return store;
  };
  const resolve = (/** @type {string} */ name, /** @type {object} */ more = {}) => {
    const [answer] = opened(more).resolve([`127.0.0.1:${port}/${name}:1`]);
    const words = answer instanceof Failure ? answer.message : '';
    for (const secret of ['pass-word', '0123456789abcdef', Buffer.from('me:pass-word').toString('base64')]) assert.ok(!words.includes(secret), words);
    return codeOf(answer);
  };
  assert.deepEqual([resolve('echo'), resolve('signed'), resolve('ftp'), resolve('loop'), resolve('large')], ['denied', 'unavailable', 'other', 'other', 'too-large']);
  // A redirection elsewhere is followed without what proves who is asking.
  assert.ok(!(resolve('elsewhere') instanceof Failure));
  assert.deepEqual(await (await fetch(`http://127.0.0.1:${other}/seen`)).json(), ['']);
  const start = Date.now();
  assert.equal(resolve('drip', { transferSeconds: 0.3 }), 'unavailable');
  assert.equal(resolve('drip', { transferRate: 10_000, transferRateSeconds: 0.2 }), 'unavailable');
  assert.equal(resolve('silent', { milliseconds: 200 }), 'deadline');
  assert.ok(Date.now() - start < 20_000);
  assert.equal(resolve('echo', { credentials: () => ({ user: 'me', password: '' }) }), 'denied');
});

test('from https nothing leads to http', () => {
  assert.equal(follow('https://a/b', '/c?d'), 'https://a/c?d');
  assert.equal(follow('http://a/b', 'http://c/d'), 'http://c/d');
  for (const location of ['http://a/b?secret=1', 'ftp://a/b?secret=1', 'file:///etc/passwd', 'http://[']) {
    assert.throws(() => follow('https://u:pw@a/b?secret=1', location), (/** @type {Failure} */ failure) => !/secret|pw/.test(failure.message));
  }
  assert.equal(shown('https://user:pw@host:1/path?sig=x#y'), 'https://host:1/path');
  assert.equal(withoutAddresses("at 'https://user:pw@h/p?sig=x': refused"), "at 'https://h/p': refused");
});

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** @param {number} port */
async function listens(port) {
  for (let attempt = 0; ; attempt++) {
    try {
      await fetch(`http://127.0.0.1:${port}/v2/`);
      return;
    } catch (error) {
      if (attempt > 200) throw error;
      await sleep(50);
    }
  }
}
