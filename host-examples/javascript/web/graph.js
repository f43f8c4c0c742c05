// The steps of a build as a picture: each below what it is made from, to be
// zoomed, searched and moved in. The table beside it says the same in words.
import { button, drawn, made } from './dom.js';

/** @typedef {import('./answers.js').ShownStep & { label: string, word: string }} Drawn */

const WIDTH = 250;
const HEIGHT = 52;
const BESIDE = 22;
const BETWEEN = 46;
const MARGIN = 16;
/** Boxes side by side; longer rows are folded. */
const FOLD = 12;
const SWEEPS = 4;
/** Letters that fit into a box. */
const LETTERS = 33;
const STEP = 1.25;
const [LEAST, MOST] = [0.05, 4];

/** @param {Drawn[]} steps */
export function graph(steps) {
  const { corners, width, height } = place(steps);
  const groups = steps.map((step, at) => box(step, /** @type {Corner} */ (corners[at])));
  const bad = steps.filter(({ role }) => role === 'cause' || role === 'miss' || role === 'failed').length;
  const picture = drawn(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `Graph of ${steps.length} steps, ${bad} of them causes or misses. The table below has the same.` },
    ...steps.flatMap((step, at) => step.inputs.map((from) => line(step, corners[from], /** @type {Corner} */ (corners[at])))),
    ...groups,
  );
  const frame = made('div', { class: 'frame', tabindex: '0', role: 'region', 'aria-label': 'The graph; scroll with the arrow keys' }, picture);
  let scale = 1;
  const zoom = (/** @type {number} */ to) => {
    const { clientWidth, clientHeight } = frame;
    const [x, y] = [(frame.scrollLeft + clientWidth / 2) / scale, (frame.scrollTop + clientHeight / 2) / scale];
    scale = Math.min(MOST, Math.max(LEAST, to));
    picture.setAttribute('width', String(width * scale));
    picture.setAttribute('height', String(height * scale));
    frame.scrollTo(x * scale - clientWidth / 2, y * scale - clientHeight / 2);
  };
  const fit = () => zoom(Math.min(1, (frame.clientWidth - 2) / width, Math.max(frame.clientHeight, 400) / height));
  const show = (/** @type {number} */ at) => {
    const { x, y } = /** @type {Corner} */ (corners[at]);
    frame.scrollTo((x + WIDTH / 2) * scale - frame.clientWidth / 2, (y + HEIGHT / 2) * scale - frame.clientHeight / 2);
  };
  // Whoever has room for it sees all; others begin at what matters.
  requestAnimationFrame(() => {
    fit();
    if (scale >= 0.6) return;
    zoom(0.8);
    const first = steps.findIndex(({ role }) => role === 'cause' || role === 'miss' || role === 'failed');
    show(first < 0 ? 0 : first);
  });
  const tools = made(
    'div',
    { class: 'tools' },
    button('−', () => zoom(scale / STEP), { 'aria-label': 'Smaller' }),
    button('+', () => zoom(scale * STEP), { 'aria-label': 'Larger' }),
    button('Fit', fit, { title: 'Fit the whole graph' }),
    button('1:1', () => zoom(1), { title: 'Natural size' }),
    ...search(steps, groups, (at) => {
      if (scale < 0.5) zoom(1);
      show(at);
    }),
  );
  return made('div', { class: 'graph' }, tools, frame);
}

/**
 * A field that finds steps by their text, line, or what became of them.
 * @param {Drawn[]} steps
 * @param {Element[]} groups
 * @param {(at: number) => void} show
 */
function search(steps, groups, show) {
  const field = /** @type {HTMLInputElement} */ (made('input', { type: 'search', id: 'graph-search', placeholder: 'Find a step', 'aria-label': 'Find a step: its text, line, or what became of it', autocomplete: 'off' }));
  const status = made('span', { class: 'meta', role: 'status' });
  /** @type {number[]} */
  let found = [];
  let at = 0;
  const move = (/** @type {number} */ by) => {
    const before = found[at];
    if (before !== undefined) groups[before]?.classList.remove('current');
    if (found.length === 0) return;
    at = (at + by + found.length) % found.length;
    const now = /** @type {number} */ (found[at]);
    groups[now]?.classList.add('current');
    status.textContent = `${at + 1} of ${found.length}: ${steps[now]?.label} ${steps[now]?.word}`;
    show(now);
  };
  field.addEventListener('input', () => {
    const text = field.value.trim().toLowerCase();
    for (const group of groups) group.classList.remove('current', 'found');
    found = text === '' ? [] : steps.flatMap((step, index) => (`${step.label}\n${step.name}\n${step.word}`.toLowerCase().includes(text) ? [index] : []));
    for (const index of found) groups[index]?.classList.add('found');
    at = 0;
    status.textContent = text === '' ? '' : 'nothing is found';
    move(0);
  });
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') move(event.shiftKey ? -1 : 1);
  });
  return [field, status];
}

/** @typedef {{ x: number, y: number }} Corner */

/**
 * Where boxes go: each row below all that its steps are made from; in a row by
 * the middle of what each is connected to.
 * @param {Drawn[]} steps
 */
export function place(steps) {
  /** @type {number[]} */
  const row = [];
  for (const [at, { inputs }] of steps.entries()) row[at] = Math.max(-1, ...inputs.map((from) => row[from] ?? -1)) + 1;
  /** @type {number[][]} */
  const users = steps.map(() => []);
  for (const [at, { inputs }] of steps.entries()) for (const from of inputs) users[from]?.push(at);
  // What stands on nothing goes right above its first user.
  for (const [at, { inputs }] of steps.entries()) {
    const first = Math.min(...(users[at] ?? []).map((user) => row[user] ?? 0));
    if (inputs.length === 0 && Number.isFinite(first)) row[at] = first - 1;
  }
  /** @type {number[][]} */
  const rows = [];
  for (const [at] of steps.entries()) (rows[row[at] ?? 0] ??= []).push(at);
  const rank = steps.map((_, at) => at);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const members of sweep % 2 === 0 ? rows : [...rows].reverse()) {
      if (!members) continue;
      const wish = new Map(members.map((at) => [at, middle([...(steps[at]?.inputs ?? []), ...(users[at] ?? [])].map((other) => rank[other] ?? 0), rank[at] ?? 0)]));
      members.sort((a, b) => (wish.get(a) ?? 0) - (wish.get(b) ?? 0) || a - b);
      for (const [position, at] of members.entries()) rank[at] = position - (members.length - 1) / 2;
    }
  }
  const folded = rows.filter((members) => members).flatMap((members) => {
    const length = Math.ceil(members.length / Math.ceil(members.length / FOLD));
    return Array.from({ length: Math.ceil(members.length / length) }, (_, part) => members.slice(part * length, (part + 1) * length));
  });
  const widest = Math.max(1, ...folded.map(({ length }) => length));
  const width = 2 * MARGIN + widest * WIDTH + (widest - 1) * BESIDE;
  /** @type {Corner[]} */
  const corners = [];
  for (const [down, members] of folded.entries()) {
    const left = (width - members.length * WIDTH - (members.length - 1) * BESIDE) / 2;
    for (const [position, at] of members.entries()) corners[at] = { x: left + position * (WIDTH + BESIDE), y: MARGIN + down * (HEIGHT + BETWEEN) };
  }
  return { corners, width, height: 2 * MARGIN + folded.length * HEIGHT + Math.max(0, folded.length - 1) * BETWEEN };
}

/**
 * @param {number[]} all
 * @param {number} otherwise
 */
function middle(all, otherwise) {
  return all.length === 0 ? otherwise : all.reduce((sum, one) => sum + one, 0) / all.length;
}

/**
 * @param {Drawn} step
 * @param {Corner} corner
 */
function box({ role, label, name, word, took }, { x, y }) {
  const text = name.replace(/^\[[^\]]*\] /, '');
  return drawn(
    'g',
    { class: `box ${role}`, transform: `translate(${x} ${y})` },
    drawn('title', {}, [label, name, word, took].filter((part) => part).join('\n')),
    drawn('rect', { width: WIDTH, height: HEIGHT, rx: 7 }),
    drawn('text', { x: 10, y: 20, class: 'label' }, cut(label || text, 22)),
    drawn('text', { x: WIDTH - 10, y: 20, 'text-anchor': 'end', class: 'word' }, word),
    drawn('text', { x: 10, y: 40, class: 'text' }, cut(label ? text : '', LETTERS)),
  );
}

/**
 * @param {Drawn} step
 * @param {Corner | undefined} from
 * @param {Corner} to
 */
function line({ role }, from, to) {
  if (!from) return drawn('g', {});
  const [x1, y1, x2, y2] = [from.x + WIDTH / 2, from.y + HEIGHT, to.x + WIDTH / 2, to.y];
  const bend = Math.min(60, Math.abs(y2 - y1) / 2);
  return drawn('path', { class: role === 'follows' ? 'link follows' : 'link', d: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}` });
}

/**
 * @param {string} text
 * @param {number} most
 */
function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
