// Scenarios: calls over the stores inside the component, in a fresh directory that is lent for reading. What they answer
// and what is on disk afterwards must be what the file says, which is the same from every host.
//
//   node test/scenario.js FILE...
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { argv } from 'node:process';
import { Engine } from '../dist/index.js';
import { Wasi } from '../dist/node/index.js';
import { functionOf, same } from '../dist/transcript.js';
import { Handles } from '../dist/values.js';
import { sha256 } from './support.js';

let differing = 0;
for (const file of argv.slice(2)) {
  const wanted = JSON.parse(fs.readFileSync(file, 'utf8'));
  if (wanted.schema !== 'layerwise/scenario/1') throw new TypeError(`${file} is not a scenario`);
  const found = await run(wanted);
  const differences = [
    ...wanted.calls.flatMap((/** @type {unknown} */ _, /** @type {number} */ at) => told(`results[${at}]`, wanted.results[at], found.results[at])),
    ...told('after', wanted.after, found.after),
  ];
  if (differences.length > 0) differing++;
  for (const line of differences) console.log(`${file}: ${line}`);
}
console.log(`${argv.length - 2 - differing} passed, ${differing} failed`);
process.exitCode = differing > 0 ? 1 : 0;

/** @param {string} what @param {unknown} expected @param {unknown} actual */
function told(what, expected, actual) {
  return same(expected, actual) ? [] : [`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`];
}

/** @param {any} scenario */
async function run({ files, lend, calls }) {
  const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'layerwise-')));
  try {
    change(root, files);
    const engine = await Engine.load({ wasi: new Wasi({ store: lend.images, directories: directories(root, lend.files ?? []) }) });
    const instance = engine.instance();
    const handles = new Handles();
    const results = calls.map((/** @type {any} */ call) => {
      if ('drop' in call) return instance.drop(handles.resource(call.drop)), null;
      if ('change' in call) return change(root, call.change), null;
      const { func, place, name } = functionOf(engine, call.call);
      const args = func.params.map(([param, type], at) => engine.values.fromJson(type, call.args[at], handles, `${call.call} ${param}`));
      const answer = instance.call(place, name, args);
      return func.result === null ? null : engine.values.toJson(func.result, answer, handles);
    });
    return { results, after: listed(root) };
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

/** @param {string} root @param {{ name: string, directory: string }[]} lent */
function directories(root, lent) {
  const found = lent.flatMap(({ name, directory }) => {
    const path = join(root, directory);
    // The component takes `/` for the same as `.`.
    return name === '/' ? fs.readdirSync(path).map((inner) => [`/${inner}`, join(path, inner)]) : [[name, path]];
  });
  return { '.': root, ...Object.fromEntries(found) };
}

/** @param {string} root @param {Record<string, any>} files */
function change(root, files) {
  for (const [path, content] of Object.entries(files)) {
    const full = join(root, path);
    const { text = '', base64, link, directory, mode } = typeof content === 'string' ? { text: content } : (content ?? {});
    fs.mkdirSync(dirname(full), { recursive: true });
    if (content === null) fs.rmSync(full, { recursive: true });
    else if (directory) fs.mkdirSync(full, { recursive: true });
    else if (link !== undefined) fs.symlinkSync(link, full);
    else fs.writeFileSync(full, base64 === undefined ? text : Buffer.from(base64, 'base64'));
    if (mode !== undefined) fs.chmodSync(full, Number.parseInt(mode, 8));
  }
}

/** @param {string} root */
function listed(root) {
  /** @type {Record<string, unknown>} */
  const found = {};
  for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath ?? entry.path, entry.name);
    const path = full.slice(root.length + 1);
    if (entry.isSymbolicLink()) found[path] = { link: fs.readlinkSync(full) };
    else if (entry.isDirectory()) found[path] = { directory: true };
    else found[path] = entry.name === 'index.json' ? { json: JSON.parse(fs.readFileSync(full, 'utf8')) } : sha256(fs.readFileSync(full));
  }
  return found;
}
