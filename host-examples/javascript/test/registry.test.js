// Registries over HTTP, asked by the component with the stores inside: a real one, one that wants tokens, and hostile ones.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Denied, Engine, HostFailed, LayerwiseError, NotFound } from '../dist/index.js';
import { Wasi } from '../dist/node/index.js';
import { exported, LAYER, MANIFEST } from './layouts.js';
import { needs } from './live.js';
import { directory, sha256 } from './support.js';

const BYTES = 'a layer';
const NONE = { mediaType: MANIFEST, digest: sha256('none'), size: 2000 };

/** @param {import('../dist/node/index.js').WasiOptions} options */
const asking = async (options = {}) => Engine.load({ wasi: new Wasi({ network: true, ...options }) });

test('a real registry: a cache of BuildKit is written to it and read again', async (context) => {
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
  const layer = { mediaType: LAYER, digest: sha256(BYTES), size: BYTES.length };
  const { headers } = await fetch(`http://${host}/v2/app/blobs/uploads/`, { method: 'POST' });
  const upload = new URL(String(headers.get('location')), `http://${host}`);
  upload.searchParams.set('digest', layer.digest);
  assert.equal((await fetch(upload, { method: 'PUT', body: BYTES })).status, 201);

  const engine = await asking();
  const descriptor = exported(engine, layer, `${host}/app`, `${host}/cache`);
  assert.deepEqual(engine.cache({}, `${host}/cache`, { mediaType: MANIFEST, digest: descriptor.digest, size: descriptor.size }).contents().roots, [sha256('step')]);
  assert.throws(() => engine.cache({}, `${host}/cache`, NONE), NotFound);
  const without = await Engine.load({ wasi: new Wasi({}) });
  assert.throws(() => without.cache({}, `${host}/cache`, NONE), (/** @type {Error} */ error) => error instanceof Denied && /allows no request/.test(error.message));
  server.kill();
  await once(server, 'exit');
  assert.throws(() => engine.cache({}, `${host}/cache`, NONE), (/** @type {Error} */ error) => error instanceof HostFailed && /no connection/.test(error.message));
});

test('a registry with tokens: credentials are those of the Docker config that is lent, and lies are found', async (context) => {
  const host = await served(context, 'token-registry.js');
  const path = directory(context);
  const auth = (/** @type {string} */ password) => writeFileSync(join(path, 'config.json'), JSON.stringify({ auths: { [host]: { auth: Buffer.from(`me:${password}`).toString('base64') } } }));
  const directories = { '/config': path };
  const environment = { DOCKER_CONFIG: '/config' };
  auth('secret');
  const layer = { mediaType: LAYER, digest: sha256(BYTES), size: BYTES.length };
  const token = (/** @type {string} */ actions) => ({ authorization: `Bearer repository:app:${actions}` });
  await fetch(`http://${host}/v2/app/blobs/uploads/1?digest=${layer.digest}`, { method: 'PUT', body: BYTES, headers: token('pull,push') });
  const engine = await asking({ directories, environment });
  const { digest, size } = exported(engine, layer, `${host}/app`, `${host}/app`);
  const read = (/** @type {Engine} */ by) => by.cache({}, `${host}/app`, { mediaType: MANIFEST, digest, size }).contents().roots;
  assert.deepEqual(read(engine), [sha256('step')]);
  for (const stranger of [await asking({ directories }), (auth('wrong'), await asking({ directories, environment }))]) {
    assert.throws(() => read(stranger), (/** @type {Error} */ error) => error instanceof Denied && !/secret|wrong/.test(error.message));
  }
  auth('secret');
  const manifest = await (await fetch(`http://${host}/v2/app/manifests/main`, { headers: token('pull') })).text();
  await fetch(`http://${host}/v2/app/manifests/lies`, { method: 'PUT', body: manifest, headers: { ...token('pull,push'), 'content-type': MANIFEST } });
  assert.throws(() => read(engine), { kind: 'corrupt' });
});

test('a registry that is hostile learns nothing, tells nothing and ends', async (context) => {
  const [host, other] = (await served(context, 'hostile-registry.js')).split(' ');
  const path = directory(context);
  writeFileSync(join(path, 'config.json'), JSON.stringify({ auths: { [String(host)]: { auth: Buffer.from('me:pass-word').toString('base64') } } }));
  const engine = await asking({ directories: { '/config': path }, environment: { DOCKER_CONFIG: '/config' } });
  const kind = (/** @type {string} */ name) => {
    try {
      return engine.cache({}, `${host}/${name}`, NONE);
    } catch (thrown) {
      assert.ok(thrown instanceof LayerwiseError, String(thrown));
      for (const secret of ['pass-word', Buffer.from('me:pass-word').toString('base64')]) assert.ok(!thrown.message.includes(secret), thrown.message);
      return thrown.kind;
    }
  };
  assert.deepEqual(['echo', 'signed', 'ftp', 'loop', 'large', 'elsewhere'].map(kind), ['denied', 'host', 'host', 'host', 'corrupt', 'corrupt']);
  // A redirection elsewhere is followed without what proves who is asking.
  assert.deepEqual(await (await fetch(`http://127.0.0.1:${other}/seen`)).json(), ['']);
});

test('connections that break are failures, and the process goes on', async (context) => {
  const answers = ['nonsense\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{"a', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`, ''];
  const code = `require('node:net').createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => socket.write(${JSON.stringify(answers)}[String(bytes).split('/')[2]], () => setTimeout(() => socket.destroy(), 20)));
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const host = await started(context, ['-e', code]);
  const engine = await asking();
  for (const at of answers.keys()) assert.throws(() => engine.cache({}, `${host}/${at}`, NONE), HostFailed, `answer ${at}`);
});

/** @param {import('node:test').TestContext} context @param {string} name */
const served = (context, name) => started(context, [fileURLToPath(new URL(`./${name}`, import.meta.url))]);

/**
 * Starts a registry in a process of its own, and tells the line that it prints first as an address.
 * @param {import('node:test').TestContext} context
 * @param {string[]} args
 */
async function started(context, args) {
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => server.kill());
  const [line] = await once(server.stdout, 'data');
  return `127.0.0.1:${String(line).trim()}`;
}

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
