// Makes web/dist/index.html: the page with everything in it, so that it works
// from any static server and from a file, without a network. The content
// security policy allows these bytes and nothing else.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { SAMPLES } from './samples.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const web = join(root, 'web');

const modules = {};
for (const name of await readdir(join(root, 'gen'))) {
  if (name.endsWith('.wasm')) modules[name] = (await readFile(join(root, 'gen', name))).toString('base64');
}
// The files of the examples, which real builds left.
const vectors = join(root, '../../tests/vectors/buildkit-builds');
const files = {};
for (const { file } of SAMPLES.flatMap(({ have, want }) => [have, want])) {
  if (!file) continue;
  const folder = file.endsWith('.dockerbuild') ? join(vectors, 'dockerbuild') : vectors;
  files[file] = (await readFile(join(folder, file))).toString('base64');
}
const embedded = { worker: await bundled('worker.js'), modules, files };
const script = safe(`globalThis.layerwise=${JSON.stringify(embedded)};\n${await bundled('page.js')}`);
const style = await readFile(join(web, 'style.css'), 'utf8');
const page = (await readFile(join(web, 'index.html'), 'utf8'))
  .replace('SCRIPT-HASH', () => hash(script))
  .replace('STYLE-HASH', () => hash(style))
  .replace('<style>STYLE</style>', () => `<style>${style}</style>`)
  .replace('<script>SCRIPT</script>', () => `<script>${script}</script>`);
await mkdir(join(web, 'dist'), { recursive: true });
await writeFile(join(web, 'dist/index.html'), page);

/** A module with all that it imports, as one classic script. */
async function bundled(name) {
  const bundle = await rolldown({ input: join(web, name), platform: 'browser', external: [/^node:/], logLevel: 'silent' });
  const { output } = await bundle.generate({ format: 'iife', minify: true });
  return output[0].code;
}

/** Nothing in a script may look like its end. */
function safe(text) {
  return text.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}

function hash(text) {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
