// Makes gen/: the component transpiled by jco, and the description of its types; and
// gen/wasi/: the component with its stores inside, which has the same exports.
//
// They are the files that LAYERWISE_COMPONENT and LAYERWISE_WASI_COMPONENT name, or else what cargo makes. The first is of
// the world `cache` or `cache-testing`.
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentWit, transpile, types } from '@bytecodealliance/jco';
import { _addPreopen } from '@bytecodealliance/preview2-shim/filesystem';
import { contract, describe } from './wit.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, '../../..');
const out = join(here, '../gen');
const MODULES = 'export declare const modules: readonly string[];\n';

const component = await readFile(componentFile('LAYERWISE_COMPONENT', 'layerwise.wasm', ['--']));
const world = await componentWit(component);
const worldName = / export layerwise:cache\/testing@/.test(world) ? 'cache-testing' : 'cache';
const wit = describe(contract(repository), worldName);
const version = wit.package.split('@')[1];
const id = (name) => `layerwise:cache/${name}@${version}`;
const exported = wit.exports.map((name) => `export ${id(name)}`);
checkWorld(world, [...['types', ...wit.imports].map((name) => `import ${id(name)}`), ...exported]);
const withStores = await readFile(componentFile('LAYERWISE_WASI_COMPONENT', 'layerwise-wasi.wasm', ['--features', 'wasi', '--', '--wasi']));
// The functions that only tests call are not in it.
checkWorld((await componentWit(withStores)).replace(/import wasi:.*/g, ''), [`export ${id('types')}`, ...exported.filter((name) => name !== `export ${id('testing')}`)]);
await rm(out, { recursive: true, force: true });
// The types come from the WIT files: a component does not carry their comments. jco reads them over WASI itself.
_addPreopen('/', '/');
const declared = await types(join(repository, 'wit'), { name: 'layerwise', worldName, instantiation: { tag: 'sync' } });
for (const [name, content] of Object.entries(declared)) await write(name, closing(text(content)) + (name === 'layerwise.d.ts' ? MODULES : ''));
await write('wasi/layerwise-wasi.d.ts', `${MODULES}export declare const instantiate: unknown;\n`);
for (const [code, name, folder] of [[component, 'layerwise', ''], [withStores, 'layerwise-wasi', 'wasi/']]) {
  for (const [file, content] of await transpiled(code, name, folder)) await write(folder + file, content);
}
await write('wit.js', `export const wit = ${JSON.stringify(wit)};\n`);
await write('wit.d.ts', `export declare const wit: unknown;\n`);

/** The code of a component, and in its glue the names of its core modules. */
async function transpiled(component, name, folder) {
  const { files } = await transpile(component, { name, instantiation: { tag: 'sync' }, nodejsCompat: false, wasiShim: false });
  const modules = Object.keys(files).filter((file) => file.endsWith('.wasm'));
  const told = `export const modules = ${JSON.stringify(modules.map((file) => folder + file))};\n`;
  files[`${name}.js`] = told + mended(text(files[`${name}.js`])).replaceAll("getCoreModule('", `getCoreModule('${folder}`);
  return Object.entries(files).filter(([file]) => !file.endsWith('.d.ts'));
}

/** Resources have what their wrappers add to them; jco leaves a word out where a function is named as JavaScript's own are. */
function closing(types) {
  const more = '  /** Gives the resource back; using it further is an error. */\n  close(): void;\n  [Symbol.dispose](): void;';
  return types.replace(/^function /gm, 'declare function ').replace(/^  private constructor\(\);$/gm, (constructor) => `${constructor}\n${more}`);
}

/** The component that a variable names, or else one that cargo makes here. */
function componentFile(variable, name, words) {
  if (process.env[variable]) return process.env[variable];
  const file = join(process.env.CARGO_TARGET_DIR ?? join(repository, 'target'), name);
  const { status, error } = spawnSync('cargo', ['run', '--package', 'layerwise-component', ...words, file], { cwd: repository, stdio: 'inherit' });
  if (status === 0) return file;
  console.error(`${name} cannot be built (${error?.message ?? 'cargo failed'}): install Rust, or name one in ${variable}`);
  process.exit(1);
}

/** The component must be one of the world that the WIT files describe. */
function checkWorld(world, wanted) {
  const found = [...world.matchAll(/(import|export) (\S+);/g)].map(([, side, name]) => `${side} ${name}`);
  const differing = [...found.filter((x) => !wanted.includes(x)), ...wanted.filter((x) => !found.includes(x))];
  if (differing.length > 0) throw new Error(`the component and wit/ differ in: ${differing.join(', ')}`);
}

/** Three changes to jco's glue; each fails here when the glue has no place for it any more. */
function mended(glue) {
  // Where JavaScript promise integration is missing, as in Node 20, the glue
  // catches the error of each `WebAssembly.promising` it tries. To word such an
  // error V8 compiles the whole glue again: 40 ms each, 1.8 s an instance.
  // Asking once makes that 1 ms.
  const asked = replaced(glue, 'WebAssembly.promising(', 'promising(');
  // Resources are closed by their owners. A finalizer that traps, as it may
  // after the component was stopped, would end the process.
  const owned = replaced(asked, 'new FinalizationRegistry(unregister)', '{ register() {}, unregister() {} }');
  // The glue looks into the environment some forty times a call.
  const quiet = replaced(owned, '!globalThis?.process?.env?.JCO_DEBUG', 'true');
  return `const promising = WebAssembly.promising ?? ((f) => f);\n${quiet}`;
}

function replaced(glue, old, by) {
  if (!glue.includes(old)) throw new Error(`the glue of this jco does not hold ${old}: see whether this step can go`);
  return glue.replaceAll(old, by);
}

function text(content) {
  return typeof content === 'string' ? content : new TextDecoder().decode(content);
}

async function write(name, content) {
  const path = join(out, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
