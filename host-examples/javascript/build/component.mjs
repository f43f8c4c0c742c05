// Makes gen/: the component transpiled by jco, and the description of its types.
//
// The component, of the world `cache` or `cache-testing`, is the file named by LAYERWISE_COMPONENT, else the one that
// `cargo run --package layerwise-component -- target/layerwise.wasm` makes.
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { componentWit, transpile } from '@bytecodealliance/jco';
import { document } from './docs.mjs';
import { describe } from './wit.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, '../../..');
const out = join(here, '../gen');

const component = await readFile(componentFile());
const world = await componentWit(component);
const wit = describe(await witTexts(), / export layerwise:cache\/testing@/.test(world) ? 'cache-testing' : 'cache');
checkWorld();
const { files } = await transpile(component, {
  name: 'layerwise',
  instantiation: { tag: 'sync' },
  nodejsCompat: false,
  wasiShim: false,
});
await rm(out, { recursive: true, force: true });
for (const [name, content] of Object.entries(files)) {
  await write(name, name.endsWith('.d.ts') ? document(name, text(content), wit) : name.endsWith('.js') ? mended(text(content)) : content);
}
await write('wit.js', `export const wit = ${JSON.stringify(wit)};\n`);
await write('wit.d.ts', `export declare const wit: unknown;\n`);

function componentFile() {
  const target = process.env.CARGO_TARGET_DIR ?? join(repository, 'target');
  const file = process.env.LAYERWISE_COMPONENT ?? join(target, 'layerwise.wasm');
  if (existsSync(file)) return file;
  console.error(
    `no component at ${file}: make it with\n` +
      `  cargo run --package layerwise-component -- ${file}\n` +
      'or name one in LAYERWISE_COMPONENT',
  );
  process.exit(1);
}

async function witTexts() {
  const directory = join(repository, 'wit');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.wit')).sort();
  return Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
}

/** The component must be one of the world that the WIT files describe. */
function checkWorld() {
  const version = wit.package.split('@')[1];
  const id = (name) => `layerwise:cache/${name}@${version}`;
  const found = [...world.matchAll(/(import|export) (\S+);/g)].map(([, side, name]) => `${side} ${name}`);
  const wanted = [
    ...['types', ...wit.imports].map((name) => `import ${id(name)}`),
    ...wit.exports.map((name) => `export ${id(name)}`),
  ];
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
