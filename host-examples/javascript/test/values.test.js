// Values by their types, transcripts, and the command line that plays them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compare, transcriptOf } from '../dist/index.js';
import { Handles } from '../dist/values.js';
import { directory, engine } from './support.js';

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const COMPARE = {
  call: 'docker#compare-configs',
  args: [{ $: 0 }, '{"Env":["A=2"]}', { reading: 'guarded', version: null }],
  result: { ok: { equal: false, differences: [{ path: 'Env[0]', have: 'A=1', want: 'A=2' }], overlooked: [] } },
};
const SESSION = [
  { call: 'docker#open', args: [{ semantics: { reading: 'guarded', version: null }, 'cache-from': [], policy: ['dry-run'], store: 'graph-driver', machine: { os: '', architecture: '', variant: '', 'os-version': '', 'os-features': [] }, 'host-os': '', 'docker-version': '', last: null, limits: [] }], result: { ok: { resource: 0 } } },
  {
    call: 'docker#[method]session.lookup',
    args: [{ resource: 0 }, { parent: null, config: '{}', platform: { os: 'linux', architecture: 'amd64', variant: '', 'os-version': '', 'os-features': [] }, place: [] }],
    result: { ok: { outcome: 'miss', image: null, source: null, effects: [], notes: [] } },
    imports: [{ call: 'image-store#children', args: [null], result: { ok: [] } }],
  },
  { drop: 0 },
];

/** @param {unknown[]} calls */
function transcript(...calls) {
  return { schema: 'layerwise/transcript/1', component: engine.values.wit.package, strings: ['{"Env":["A=1"]}'], instances: [{ name: 'one', calls }] };
}

/** @param {unknown[]} calls */
function mismatch(...calls) {
  return [...compare(engine, transcriptOf(JSON.stringify(transcript(...calls))))][0]?.mismatch;
}

test('values come back from JSON as they were, for every kind of type', () => {
  const { values } = engine;
  const handles = new Handles();
  /** @type {[import('../dist/values.js').Type, unknown][]} */
  const cases = [
    ['u64', '18446744073709551615'],
    ['s64', '-9223372036854775808'],
    [['list', ['option', 'u32']], [null, 4294967295]],
    [['tuple', 'bool', 'string'], [true, 'a']],
    [['result', null, 'types/failure'], { err: { code: 'not-found', message: '' } }],
    [['result', 'string', null], { ok: 'a' }],
    ['registry/source', { provider: 'x' }],
    ['stacker/epoch', { unset: null }],
    ['stacker/epoch', { seconds: '-1' }],
    ['image-store/facts', ['document', 'built']],
    ['types/platform', { os: 'a', architecture: 'b', variant: 'c', 'os-version': 'd', 'os-features': ['e'] }],
    ['filesystem/path', 'a/b'],
  ];
  for (const [type, json] of cases) {
    const value = values.fromJson(type, json, handles, 'it');
    assert.deepEqual(values.toJson(type, value, handles), json);
    assert.deepEqual(values.toJson(type, values.complete(type, value, 'it'), handles), json);
  }
  /** @type {[import('../dist/values.js').Type, unknown][]} */
  const wrong = [
    ['u64', 1], ['u64', '-1'], ['u64', '18446744073709551616'], ['u32', 4294967296], ['bool', 0], ['string', null],
    ['types/platform', { os: 'a' }], ['types/annotation', { key: 'a', value: 'b', more: 'c' }], ['types/reading', 'wild'],
    ['image-store/facts', ['all']], ['registry/source', { file: 'a', provider: 'b' }], ['registry/source', 'file'],
    [['result', null, null], { maybe: null }], [['tuple', 'bool', 'bool'], [true]], [['list', 'bool'], {}], ['docker/session', { resource: 0 }],
  ];
  for (const [type, json] of wrong) assert.throws(() => values.fromJson(type, json, handles, 'it'), /^(Type|Range)Error: .*/, JSON.stringify(json));
});

test('every type of the component is described', () => {
  const { wit, constructor } = engine.values;
  assert.equal(constructor.name, 'Values');
  const known = new Set(Object.keys(wit.types));
  const walk = (/** @type {any} */ type) => {
    if (Array.isArray(type)) type.slice(1).forEach((inner) => inner !== null && walk(inner));
    else if (type.includes('/')) assert.ok(known.has(type), type);
  };
  let functions = 0;
  for (const { functions: all } of Object.values(wit.interfaces)) {
    for (const { params, result } of Object.values(all)) {
      functions++;
      params.forEach(([, type]) => walk(type));
      if (result !== null) walk(result);
    }
  }
  assert.ok(functions > 90, `${functions} functions`);
});

test('a transcript plays again, and each way to differ is told', () => {
  assert.equal(mismatch(COMPARE, ...SESSION), undefined);
  assert.match(mismatch({ ...COMPARE, result: { ok: null } })?.actual ?? '', /A=1/);
  const [open, lookup] = SESSION;
  const [children] = /** @type {any} */ (lookup).imports;
  const imports = (/** @type {unknown[]} */ ...all) => mismatch(open, { ...lookup, imports: all });
  assert.match(imports(children, children)?.actual ?? '', /no further import/);
  assert.match(imports()?.expected ?? '', /no further import/);
  assert.match(imports({ ...children, args: ['sha256:other'] })?.expected ?? '', /sha256:other/);
  assert.match(imports({ ...children, result: { err: { code: 'wild', message: '' } } })?.actual ?? '', /must be one of/);
  assert.match(mismatch({ ...COMPARE, args: [] })?.actual ?? '', /takes 3 arguments/);
  assert.match(mismatch({ ...COMPARE, call: 'docker#nothing' })?.actual ?? '', /no function/);
  assert.match(mismatch({ drop: 3 })?.actual ?? '', /no resource 3/);
  assert.throws(() => transcriptOf('{}'), /not a transcript/);
  assert.throws(() => [...compare(engine, { .../** @type {any} */ (transcript()), component: 'other@1.0.0' })], /is of other@1.0.0/);
});

test('the command line tells what differs and ends with 1', (context) => {
  const path = directory(context);
  const run = (/** @type {string[]} */ ...args) => spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
  const file = join(path, 'calls.json');
  writeFileSync(file, JSON.stringify(transcript(COMPARE)));
  assert.deepEqual([run('conformance', file).stdout, run('replay', file).status], ['1 passed, 0 failed\n', 0]);
  writeFileSync(file, JSON.stringify(transcript({ ...COMPARE, result: { ok: '\u001b[2m' } })));
  const { status, stdout } = run('conformance', file);
  assert.equal(status, 1);
  assert.match(stdout, /^one: expected docker#compare-configs: .*\n0 passed, 1 failed\n$/);
  assert.ok(!stdout.includes('\u001b'));
  assert.deepEqual([run('conformance', join(path, 'none.json')).status, run('conformance').status, run('dance').status], [3, 2, 2]);
  const demo = run('demo');
  assert.equal(demo.status, 0);
  for (const part of ['hit-local', 'hit-restored', 'have "MODE=fast"  want "MODE=safe"']) assert.ok(demo.stdout.includes(part), part);
});
