// The page: two documents in, the worker's answer out. Data becomes text nodes
// only, never markup.
import { documentOf, KINDS } from './documents.js';
import { SAMPLES } from './samples.js';

/** @typedef {import('./analyse.js').Answer} Answer */
/** @typedef {import('./analyse.js').Told} Told */
/** @typedef {{ worker: string, modules: Record<string, string> }} Embedded */

/** How long an answer may take, in milliseconds. */
const PATIENCE = 20_000;
/** How long to wait for more typing, in milliseconds. */
const PAUSE = 250;
const LARGEST = 32 * 2 ** 20;
/** How many findings are shown at once. */
const SHOWN = 200;

const { worker: source, modules } = /** @type {{ layerwise: Embedded }} */ (/** @type {unknown} */ (globalThis)).layerwise;
const have = side('have');
const want = side('want');
/** @type {Worker | undefined} */
let worker;
let number = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let waiting;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let patience;

for (const { name, ...texts } of SAMPLES) {
  const button = made('button', { type: 'button' }, name);
  button.addEventListener('click', () => {
    have.set(texts.have);
    want.set(texts.want);
    ask();
  });
  byId('examples').append(made('li', {}, button));
}
byId('swap').addEventListener('click', () => {
  const [left, right] = [have.text.value, want.text.value];
  have.set(right);
  want.set(left);
  ask();
});
ask();

/** @param {'have' | 'want'} name */
function side(name) {
  const text = /** @type {HTMLTextAreaElement} */ (byId(`${name}-text`));
  const file = /** @type {HTMLInputElement} */ (byId(`${name}-file`));
  const place = byId(name);
  const set = (/** @type {string} */ value) => {
    text.value = value;
    byId(`${name}-kind`).textContent = kindOf(value);
  };
  const read = async (/** @type {File | undefined} */ chosen) => {
    if (!chosen) return;
    if (chosen.size > LARGEST) return show(problem('That file is too large', `${chosen.name} has ${chosen.size} bytes; up to ${LARGEST} are read.`));
    set(await chosen.text());
    ask();
  };
  text.addEventListener('input', () => {
    byId(`${name}-kind`).textContent = kindOf(text.value);
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE);
  });
  file.addEventListener('change', () => void read(file.files?.[0]).then(() => (file.value = '')));
  byId(`${name}-clear`).addEventListener('click', () => {
    set('');
    text.focus();
    ask();
  });
  place.addEventListener('dragover', (event) => {
    event.preventDefault();
    place.classList.add('over');
  });
  place.addEventListener('dragleave', () => place.classList.remove('over'));
  place.addEventListener('drop', (event) => {
    event.preventDefault();
    place.classList.remove('over');
    const dropped = event.dataTransfer;
    if (dropped?.files[0]) void read(dropped.files[0]);
    else if (dropped?.getData('text')) {
      set(dropped.getData('text'));
      ask();
    }
  });
  return { text, set };
}

/** @param {string} text */
function kindOf(text) {
  try {
    const document = documentOf(text);
    return document ? KINDS[document.kind] : 'nothing yet';
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

/** Asks the worker; the last question counts. A worker that takes too long is ended. */
function ask() {
  clearTimeout(waiting);
  clearTimeout(patience);
  number++;
  worker ??= start();
  worker.postMessage({ number, have: have.text.value, want: want.text.value });
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
    show(data.error ? problem('That cannot be read', data.error.code ? `${data.error.message} (${data.error.code})` : data.error.message) : data.answer);
    if (data.version) byId('about').textContent = `Layerwise ${data.version}. Runs in this page; nothing is sent anywhere.`;
  });
  started.addEventListener('error', (event) => {
    clearTimeout(patience);
    show(problem('The component cannot be started', event.message));
  });
  const bytes = Object.fromEntries(Object.entries(modules).map(([name, text]) => [name, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
  started.postMessage({ modules: bytes });
  return started;
}

/**
 * @param {string} title
 * @param {string} text
 * @returns {Answer}
 */
function problem(title, text) {
  return { verdict: 'note', title, text, facts: [], findings: [] };
}

/** @param {Answer} answer */
function show({ verdict, title, text, facts, findings }) {
  const roots = findings.filter(({ cascade, other, good }) => !cascade && !other && !(good && verdict !== 'hit'));
  const others = findings.filter((finding) => !roots.includes(finding));
  const parts = [made('div', { class: `verdict ${verdict}` }, made('h3', {}, title), made('p', {}, text))];
  if (facts.length > 0) {
    parts.push(made('ul', { class: 'facts' }, ...facts.map(([name, value]) => made('li', {}, made('b', {}, value), ` ${name}`))));
  }
  if (roots.length > 0) parts.push(list(roots));
  if (others.length > 0) parts.push(made('details', {}, made('summary', {}, `${others.length} more: consequences, other candidates, and what need not worry you`), list(others)));
  byId('told').replaceChildren(...parts);
}

/** @param {Told[]} findings */
function list(findings) {
  const items = findings.slice(0, SHOWN).map(item);
  if (findings.length > SHOWN) items.push(made('li', { class: 'finding quiet' }, `${findings.length - SHOWN} more are not shown.`));
  return made('ol', { class: 'findings' }, ...items);
}

/** @param {Told} finding */
function item({ code, subject, differences, meaning, advice, good, cascade, other }) {
  const kind = good ? 'good' : cascade || other ? 'quiet' : '';
  const parts = [
    made('h4', {}, meaning.charAt(0).toUpperCase() + meaning.slice(1)),
    made('p', { class: 'meta' }, made('span', { class: 'code' }, code), ` · ${subject}${cascade ? ' · a consequence' : other ? ' · another candidate' : ''}`),
  ];
  if (differences.length > 0) {
    // What is found in one document by itself has one side only.
    const sides = differences.some(({ want }) => want !== undefined) || (have.text.value && want.text.value) ? ['The cache has', 'The build wants'] : ['Found'];
    const head = made('tr', {}, ...['Field', ...sides].map((name) => made('th', { scope: 'col' }, name)));
    const rows = differences.slice(0, SHOWN).map((difference) => row(difference, sides.length));
    parts.push(made('table', {}, made('thead', {}, head), made('tbody', {}, ...rows)));
  }
  if (advice && !advice.startsWith('nothing to do')) parts.push(made('p', { class: 'advice' }, `${advice}.`));
  return made('li', { class: `finding ${kind}`.trim() }, ...parts);
}

/**
 * @param {{ path: string, have?: string | undefined, want?: string | undefined }} difference
 * @param {number} sides
 */
function row({ path, have, want }, sides) {
  const [before, after] = sides === 1 ? [have?.length ?? 0, 0] : around(have, want);
  const cells = [made('span', { class: 'value' }, path), value('have', have, before, after), value('want', want, before, after)];
  return made('tr', {}, ...cells.slice(0, sides + 1).map((cell) => made('td', {}, cell)));
}

/**
 * How many letters both sides have in common, at the beginning and at the end.
 * @param {string | undefined} have
 * @param {string | undefined} want
 */
function around(have, want) {
  if (have === undefined || want === undefined) return [0, 0];
  const shorter = Math.min(have.length, want.length);
  let before = 0;
  while (before < shorter && have[before] === want[before]) before++;
  let after = 0;
  while (after < shorter - before && have[have.length - 1 - after] === want[want.length - 1 - after]) after++;
  return [before, after];
}

/**
 * One side of a difference, with what differs marked.
 * @param {'have' | 'want'} side
 * @param {string | undefined} text
 * @param {number} before
 * @param {number} after
 */
function value(side, text, before = 0, after = 0) {
  if (text === undefined) return made('span', { class: 'absent' }, 'absent');
  if (text === '') return made('span', { class: 'absent' }, 'empty');
  const end = text.length - after;
  const marked = end > before ? [made('mark', {}, text.slice(before, end))] : [];
  return made('span', { class: `value ${side}` }, text.slice(0, before), ...marked, text.slice(end));
}

/**
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
function made(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, text] of Object.entries(attributes)) element.setAttribute(key, text);
  element.append(...children);
  return element;
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
