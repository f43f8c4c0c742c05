// Sessions over builds by BuildKit: files as somebody has them, and what real builds taught.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Engine, explained, Failure, LayerwiseError, openBuilds, reasons } from '../dist/index.js';
import { engine } from './support.js';

const VECTORS = new URL('../../../tests/vectors/buildkit-builds/', import.meta.url);

/** @param {string} name */
const file = (name) => new Uint8Array(readFileSync(new URL(`dockerbuild/${name}.dockerbuild`, VECTORS)));
/** @param {string} base64 */
const bytes = (base64) => new Uint8Array(Buffer.from(base64, 'base64'));

test('each step of each pair of real builds has its state, and those with a cause of their own are found', async () => {
  const { bases, scenarios } = JSON.parse(gunzipSync(readFileSync(new URL('builds.json.gz', VECTORS))).toString());
  let steps = 0;
  for (const { name, base, record, expected, provenance } of scenarios) {
    if (!provenance || provenance.length === 0) continue;
    const [[old], [now]] = await engine.builds({}, [bytes(bases[base].record), bytes(record)]);
    assert.ok(old && now, name);
    const { verdicts } = now.why(old, {}, 'all');
    const states = new Map(verdicts.map(({ step }) => [step.vertex, step.state]));
    for (const { vertex, state } of expected.steps) assert.equal(states.get(vertex), state, `${name} ${vertex}`);
    // Without folders the files that changed are not known, and everything else is.
    const roots = new Set(verdicts.filter(({ root }) => root).map(({ step }) => step.vertex));
    for (const { vertex, causes = [] } of expected.steps) {
      const definition = causes.some((/** @type {{ kind: string }} */ cause) => cause.kind === 'definition');
      if (definition) assert.ok(roots.has(vertex), `${name} ${vertex}`);
    }
    steps += expected.steps.length;
  }
  assert.ok(steps > 1_000, `${steps} steps were compared`);
});

test('two files give the cause with its line, old and new, as text', async () => {
  const [[old], [now]] = await engine.builds({}, [file('base-multi'), file('multi-css')]);
  assert.ok(old && now);
  assert.equal(now.describe().dockerfile?.name, 'Dockerfile');
  const why = now.why(old, {}, 'not-secret');
  assert.ok(why.causes.length > 0);
  const text = reasons(why, engine.catalogue);
  const [first, second] = text.split('\n');
  assert.match(first ?? '', /^\d+ of \d+ steps ran: \d+ cause/);
  assert.match(second ?? '', /^line \d+: \[/);
  assert.match(text, /\n {4}advice: \w/);
});

test('the example of the README runs', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = [...readme.matchAll(/```js\n([^]*?)```/g)].map(([, code = '']) => code).find((code) => code.includes('engine.builds')) ?? '';
  const lines = code.split('\n').filter((line) => !line.startsWith('import'));
  /** @type {string[]} */
  const printed = [];
  const run = new (Object.getPrototypeOf(async () => {}).constructor)('readFileSync', 'Engine', 'reasons', 'console', lines.join('\n'));
  const read = (/** @type {string} */ name) => file(name.startsWith('before') ? 'base-args' : 'args-env');
  await run(read, Engine, reasons, { log: (/** @type {string} */ text) => printed.push(text) });
  assert.match(printed.join(''), /variable APP_VERSION {2}old "1.0" {2}new "v1.0"/);
});

test('a file that is no build is refused by name', async () => {
  const instance = engine.instance();
  const refused = async (/** @type {Uint8Array<ArrayBuffer>} */ given, /** @type {RegExp} */ why) => {
    await assert.rejects(openBuilds(instance, given), (/** @type {Error} */ error) => {
      assert.ok(error instanceof Failure || error instanceof LayerwiseError, String(error));
      assert.match(error.message, why);
      return true;
    });
  };
  const packed = file('base-simple');
  const plain = new Uint8Array(gunzipSync(packed));
  await refused(packed.slice(0, 100), /cannot be unpacked/);
  await refused(new Uint8Array([0xff, 0xfe, 0xfd]), /not utf-8/);
  await refused(new TextEncoder().encode('{}'), /neither provenance nor a record nor a log/);
  await refused(plain.slice(0, 1024), /index\.json|damaged/);
  // One letter of a blob is another: its digest says so.
  const at = Buffer.from(plain).indexOf('"schemaVersion"', Buffer.from(plain).indexOf('blobs/sha256/'));
  const broken = plain.slice();
  broken[Buffer.from(plain).indexOf('"FrontendAttrs"') + 2] = 0x78;
  assert.ok(at > 0);
  await refused(new Uint8Array(gzipSync(broken)), /have another digest/);
  // An unpacked file is as good, and says the same.
  const [same] = await openBuilds(instance, plain);
  const [first] = await openBuilds(instance, packed);
  assert.deepEqual(same?.describe(), first?.describe());
});

test('what a file unpacks to is limited', async () => {
  const huge = new Uint8Array(gzipSync(Buffer.alloc(300 * 2 ** 20), { level: 1 }));
  await assert.rejects(openBuilds(engine.instance(), huge), (/** @type {Failure} */ error) => error instanceof Failure && error.code === 'too-large');
});

test('every finding has advice where the catalogue has some, and explanations are text', () => {
  const { catalogue } = engine;
  for (const rule of engine.instance().rules.all()) {
    assert.equal(catalogue.advice({ code: rule.code, hint: undefined }), rule.advice);
    assert.equal(catalogue.meaning(rule.code), rule.meaning);
  }
  const finding = (/** @type {string} */ code, /** @type {object} */ more = {}) => ({ code, subject: 's', differences: [{ path: 'Env[0]', have: 'A=1', want: 'A=2' }], hint: undefined, cascade: false, ...more });
  const text = explained({ summary: finding('docker/config-mismatch', { hint: 'do this' }), nearest: finding('docker/config-mismatch'), findings: [finding('docker/no-match\u202e', { subject: 'x', cascade: true })], considered: 2n }, catalogue);
  assert.match(text, /^docker\/config-mismatch: /);
  assert.match(text, /\n {2}Env\[0\] {2}have "A=1" {2}want "A=2"\n {2}advice: do this\n {2}looked at 2 candidates\n/);
  assert.match(text, /docker\/no-match\\u\{202e\} \(follows\)/);
});
