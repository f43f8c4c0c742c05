// Sessions: decisions, errors as exceptions, and what ends an instance.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Closed, DeadlineExceeded, Engine, Failure, HostFailed, Invalid, LayerwiseError, LimitExceeded, Memory, Stopped, Unsupported } from '../dist/index.js';
import { withDeadline } from '../dist/node/index.js';
import { engine, MAKE, PLATFORM, sample } from './support.js';

test('the package has the version of the component', () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(engine.version, version);
  const cargo = readFileSync(new URL('../../../Cargo.toml', import.meta.url), 'utf8');
  assert.equal(/^version = "(.*)"$/m.exec(cargo)?.[1], version);
});

test('the example of the README runs and says what it says', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, code = ''] = /```js\n(import[^]*?)```/.exec(readme) ?? [];
  const lines = code.trim().split('\n').filter((line) => line && !line.startsWith('import'));
  assert.ok(lines.length <= 5, `the example has ${lines.length} lines`);
  /** @type {unknown[]} */
  const printed = [];
  const run = new (Object.getPrototypeOf(async () => {}).constructor)('Engine', 'images', 'base', 'config', 'console', lines.join('\n'));
  const { images, base } = sample();
  await run(Engine, images, base, MAKE.replace('fast', 'safe'), { log: (/** @type {unknown[]} */ ...args) => printed.push(...args) });
  assert.deepEqual(printed, ['miss', [{ path: 'Env[1]', have: 'MODE=fast', want: 'MODE=safe' }]]);
});

test('the example of the manual runs and prints what it shows', async () => {
  const page = readFileSync(new URL('../../../src/manual/javascript.md', import.meta.url), 'utf8');
  const [, code = ''] = /```js\n([^]*?)```/.exec(page) ?? [];
  const [, shown = ''] = /```text\n([^]*?)```/.exec(page) ?? [];
  const lines = code.split('\n').filter((line) => !line.startsWith('import'));
  /** @type {string[]} */
  const printed = [];
  const run = new (Object.getPrototypeOf(async () => {}).constructor)('createHash', 'Engine', 'Memory', 'console', lines.join('\n'));
  await run(createHash, Engine, Memory, { log: (/** @type {unknown[]} */ ...args) => printed.push(`${args.join(' ')}\n`) });
  assert.equal(printed.join(''), shown);
});

test('a step that was built here is a hit, another one a miss with its reasons', () => {
  const { images, base, built } = sample();
  const session = engine.docker({ images });
  const step = { parent: base, config: MAKE, platform: PLATFORM };
  assert.deepEqual(session.lookup(step), { outcome: 'hit-local', image: built, source: undefined, effects: [], notes: [] });
  const { nearest, considered } = session.explain({ ...step, config: MAKE.replace('fast', 'safe') });
  assert.equal(considered, 1n);
  assert.equal(nearest?.code, 'docker/config-mismatch');
  session.close();
  assert.throws(() => session.lookup(step), Closed);
  session.close();
});

test('every case of the error variant is a class with its members', () => {
  assert.throws(() => engine.docker({}, { semantics: { reading: 'guarded', version: '1.0' } }), (/** @type {LayerwiseError} */ error) => {
    assert.ok(error instanceof Unsupported || error instanceof Invalid);
    assert.equal(error.code, 'docker/unknown-version');
    assert.notEqual(error.message, '');
    return true;
  });
  assert.throws(() => engine.docker({}, { limits: [{ name: 'no-such', value: 1 }] }), Invalid);
  const { images, base } = sample();
  const session = engine.docker({ images }, { limits: [{ name: 'document-bytes', value: 10 }] });
  assert.throws(() => session.lookup({ parent: base, config: MAKE, platform: PLATFORM }), (/** @type {LimitExceeded} */ error) => {
    assert.ok(error instanceof LimitExceeded);
    assert.deepEqual([error.limit, error.value, error.kind], ['document-bytes', 10n, 'limit-exceeded']);
    return true;
  });
});

test('what a store throws is a failure of the component, and the session goes on', () => {
  const { images, base, built } = sample();
  const children = images.children.bind(images);
  const step = { parent: base, config: MAKE, platform: PLATFORM };
  const session = engine.docker({ images });
  images.children = () => {
    throw new Failure('unavailable', 'the store is asleep');
  };
  assert.throws(() => session.lookup(step), (/** @type {HostFailed} */ error) => error instanceof HostFailed && /the store is asleep/.test(error.message));
  images.children = () => {
    throw new RangeError('a bug');
  };
  assert.throws(() => session.lookup(step), /a bug/);
  // An answer that is not of the contract's type never reaches the component.
  images.children = () => /** @type {any} */ ([1]);
  assert.throws(() => session.lookup(step), (/** @type {HostFailed} */ error) => error instanceof HostFailed && /must be a string, not 1/.test(error.message));
  images.children = /** @type {any} */ (async () => []);
  assert.throws(() => session.lookup(step), /a promise came/);
  images.children = () => {
    session.lookup(step);
    return [];
  };
  assert.throws(() => session.lookup(step), /in a call already/);
  images.children = children;
  assert.equal(session.lookup(step).image, built);
});

test('what is not lent refuses, and observers change nothing', () => {
  const session = engine.docker({});
  assert.throws(() => session.lookup({ config: MAKE, platform: PLATFORM }), (/** @type {HostFailed} */ error) => /lent no such thing/.test(error.message));
  const { images, base, built } = sample();
  const observer = {
    log() {
      throw new Error('deaf');
    },
    progress() {
      throw new Error('blind');
    },
  };
  assert.equal(engine.docker({ images, observer }).lookup({ parent: base, config: MAKE, platform: PLATFORM }).image, built);
});

test('a store may leave out what it does not support', () => {
  const { images, base, built } = sample();
  const readOnly = { get: images.get.bind(images), children: images.children.bind(images) };
  const session = engine.docker({ images: readOnly });
  const step = { parent: base, config: MAKE, platform: PLATFORM };
  assert.equal(session.lookup(step).image, built);
  assert.throws(() => engine.docker({ images: { get: images.get.bind(images) } }).lookup(step), (/** @type {LayerwiseError} */ error) => error instanceof Unsupported && /has no method children/.test(error.message));
});

test('arguments are checked before they cross', () => {
  const { docker } = engine.instance();
  assert.throws(() => docker.recordedSteps('{}', -1, [], {}), RangeError);
  assert.throws(() => docker.recordedSteps('{}', 1.5, [], {}), TypeError);
  assert.throws(() => docker.recordedSteps(/** @type {any} */ (undefined), 0, [], {}), TypeError);
  assert.throws(() => docker.open({ limits: [{ name: 'depth', value: -1n }] }), /from 0 to 18446744073709551615/);
  assert.throws(() => docker.open(/** @type {any} */ ({ cacheForm: [] })), /has no member cacheForm/);
  assert.throws(() => docker.open(/** @type {any} */ ({ policy: { dry: true } })), /has no flag dry/);
  assert.throws(() => docker.encodeImage('{}', /** @type {any} */ ('sideways'), {}), /must be one of declared, sorted/);
});

test('a full memory stops the instance, and nothing else', async () => {
  const small = await Engine.load({ memory: 4 * 2 ** 20 });
  const { images, base, built } = sample();
  const step = { parent: base, config: MAKE, platform: PLATFORM };
  const instance = small.instance({ images });
  const session = instance.docker.open({});
  assert.equal(session.lookup(step).image, built);
  const huge = JSON.stringify({ Env: Array.from({ length: 200_000 }, (_, at) => `VARIABLE${at}=value`) });
  assert.throws(() => instance.docker.compareConfigs(huge, huge, {}), Stopped);
  assert.ok(instance.stopped instanceof Stopped);
  assert.throws(() => session.lookup(step), Stopped);
  assert.throws(() => instance.rules.all(), Stopped);
  session.close();
  assert.equal(small.docker({ images }).lookup(step).image, built);
  await assert.rejects(Engine.load({ memory: 65_536 }), /needs at least/);
});

test('a deadline ends work that does not end, and the process goes on', async () => {
  const job = new URL('./job.js', import.meta.url);
  assert.equal(await withDeadline(60_000, job, { loops: false }), 'hit-local');
  await assert.rejects(withDeadline(500, job, { loops: true }), DeadlineExceeded);
  await assert.rejects(withDeadline(60_000, job, { fails: true }), (/** @type {LayerwiseError} */ error) => {
    return error instanceof Invalid && error.kind === 'invalid' && error.code !== '';
  });
});

test('sessions of one instance can be used together, those of two cannot', () => {
  const { buildkit } = engine.instance();
  const empty = /** @type {const} */ ({ tag: 'config', val: { text: '{"records":[]}', descriptors: '[]' } });
  const cache = buildkit.read(empty, {});
  const other = engine.instance().buildkit.read(empty, {});
  assert.equal(cache.compare(cache).summary.code, 'buildkit/same');
  assert.throws(() => cache.compare(other), /an open resource of the same instance/);
});
