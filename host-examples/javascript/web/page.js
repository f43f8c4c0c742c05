// The page: what two sides hold, the worker's answer, and links.
import { byId, button, made } from './dom.js';
import { asLink, ofLink } from './link.js';
import { SAMPLES } from './samples.js';
import { problem, shown } from './show.js';
import { side } from './side.js';

/** @typedef {import('./answers.js').Answer} Answer */
/** @typedef {import('./side.js').Given} Given */
/** @typedef {{ worker: string, modules: Record<string, string>, files: Record<string, string> }} Embedded */

/** How long an answer may take, in milliseconds. */
const PATIENCE = 20_000;
const LARGEST = 64 * 2 ** 20;

const { worker: source, modules, files } = /** @type {{ layerwise: Embedded }} */ (/** @type {unknown} */ (globalThis)).layerwise;
const have = side('have', { changed, dropped: (all) => void read(all, have) });
const want = side('want', { changed, dropped: (all) => void read(all, want) });
/** @type {Worker | undefined} */
let worker;
let number = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let patience;
/** The fragment that this page wrote itself. */
let written = '';

for (const { name, slug } of SAMPLES) byId('examples').append(made('li', {}, button(name, () => void sample(slug))));
byId('swap').addEventListener('click', () => {
  const [left, right] = [have.get(), want.get()];
  have.set(right);
  want.set(left);
  changed();
});
byId('link').addEventListener('click', () => void link());
const files_ = /** @type {HTMLInputElement} */ (byId('files'));
files_.addEventListener('change', () => void read([...(files_.files ?? [])]).then(() => (files_.value = '')));
document.addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('over');
});
document.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) document.body.classList.remove('over');
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('over');
  void read([...(event.dataTransfer?.files ?? [])]);
});
globalThis.addEventListener('hashchange', () => void visit());
void visit().then((found) => found || ask(false));

/**
 * Takes files: two are two builds, of which the worker tells the earlier one; one goes to the side it was
 * given to, else to the side that is empty.
 * @param {File[]} given
 * @param {import('./side.js').Side} [place]
 */
async function read(given, place) {
  if (given.length === 0) return;
  const large = given.find(({ size }) => size > LARGEST);
  if (large) return show(problem('That file is too large', `${large.name} has ${large.size} bytes; up to ${LARGEST} are read.`));
  if (given.length > 2) return show(problem('Too many files', `${given.length} files were given: give one or two.`));
  const [first, second] = await Promise.all(given.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })));
  if (second) {
    have.set(first);
    want.set(second);
  } else if (place) place.set(first);
  else if (want.isEmpty()) want.set(first);
  else if (have.isEmpty()) have.set(first);
  else {
    have.clear();
    want.set(first);
  }
  write('');
  ask(!place || second !== undefined);
}

/** @param {string} slug */
async function sample(slug) {
  const found = SAMPLES.find((one) => one.slug === slug);
  if (!found) return show(problem('There is no such example', `The link names ${JSON.stringify(slug)}.`));
  for (const [side, { file, text = '' }] of /** @type {const} */ ([[have, found.have], [want, found.want]])) {
    side.set(file ? { name: file, bytes: bytesOf(files[file] ?? '') } : { name: '', bytes: new TextEncoder().encode(text) });
  }
  write(`#example=${slug}`);
  ask(false);
}

/** Opens what the fragment of the address names; false if it names nothing. */
async function visit() {
  const { hash } = globalThis.location;
  if (hash === written) return hash !== '';
  const [, slug] = /^#example=([a-z0-9-]+)$/.exec(hash) ?? [];
  if (slug) return await sample(slug), true;
  try {
    const sides = await ofLink(hash);
    if (!sides) return false;
    have.set(sides.have);
    want.set(sides.want);
    written = hash;
    ask(false);
  } catch {
    show(problem('That link cannot be read', 'A part of it is missing, or it was made by another version of this page.'));
  }
  return true;
}

/** Puts a link to what is shown into the address, and into the clipboard where that is allowed. */
async function link() {
  const status = byId('link-status');
  const sample = SAMPLES.find(({ slug }) => globalThis.location.hash === `#example=${slug}`);
  const fragment = sample ? globalThis.location.hash : await asLink(have.get(), want.get());
  if (fragment === undefined) {
    status.textContent = 'These files are too large for a link.';
    return;
  }
  write(fragment);
  const held = sample ? '' : ' It holds the files themselves: whoever has it can read them.';
  try {
    await navigator.clipboard.writeText(globalThis.location.href);
    status.textContent = `The link is copied, and in the address bar.${held}`;
  } catch {
    status.textContent = `The link is in the address bar.${held}`;
  }
}

/** @param {string} fragment */
function write(fragment) {
  written = fragment;
  globalThis.location.hash = fragment;
}

/** What the address names is not what is there any more. */
function changed() {
  write('');
  ask(false);
}

/**
 * Asks the worker; the last question counts. A worker that takes too long is ended.
 * @param {boolean} order whether the sides may be the wrong way around
 */
function ask(order) {
  clearTimeout(patience);
  number++;
  byId('link-status').textContent = '';
  byId('answer').setAttribute('aria-busy', 'true');
  const nothing = have.isEmpty() && want.isEmpty();
  byId('share').hidden = nothing;
  document.body.classList.toggle('blank', nothing);
  worker ??= start();
  worker.postMessage({ number, have: have.bytes(), want: want.bytes(), order });
  patience = setTimeout(() => {
    worker?.terminate();
    worker = undefined;
    show(problem('This takes too long', `No answer came in ${PATIENCE / 1000} seconds, so the component was stopped.`));
  }, PATIENCE);
}

function start() {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const started = new Worker(url);
  URL.revokeObjectURL(url);
  started.addEventListener('message', ({ data }) => {
    if (data.number !== number) return;
    clearTimeout(patience);
    if (data.version) byId('about').textContent = `Layerwise ${data.version}. Runs in this page; nothing is sent anywhere.`;
    if (data.answer?.swapped) {
      const [left, right] = [have.get(), want.get()];
      have.set(right);
      want.set(left);
      [data.kinds.have, data.kinds.want] = [data.kinds.want, data.kinds.have];
    }
    have.tell(data.kinds.have);
    want.tell(data.kinds.want);
    if (data.error) show(problem('That cannot be read', data.error.code ? `${data.error.message} (${data.error.code})` : data.error.message));
    else show(data.answer);
  });
  started.addEventListener('error', (event) => {
    clearTimeout(patience);
    show(problem('The component cannot be started', event.message));
  });
  started.postMessage({ modules: Object.fromEntries(Object.entries(modules).map(([name, text]) => [name, bytesOf(text)])) });
  return started;
}

/** @param {string} base64 */
function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** @param {Answer} answer */
function show(answer) {
  byId('told').replaceChildren(...shown(answer, !have.isEmpty() && !want.isEmpty()));
  byId('answer').setAttribute('aria-busy', 'false');
}
