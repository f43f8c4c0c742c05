// A build as elements: its causes, its Dockerfile with what became of each line,
// its graph, and all of its steps.
import { count } from './answers.js';
import { made } from './dom.js';
import { graph } from './graph.js';

/** @typedef {import('./answers.js').Answer} Answer */
/** @typedef {import('./answers.js').Told} Told */
/** @typedef {import('./answers.js').Role} Role */
/** @typedef {import('./answers.js').ShownStep} ShownStep */
/** @typedef {NonNullable<Answer['build']>} Build */

/** How many lines of a Dockerfile, steps, and steps of one cause are shown. */
const LINES = 5_000;
const STEPS = 1_000;
const NAMED = 5;

/** What is said of a step, what matters most first: of a line with several steps the first counts. */
const WORDS = /** @type {Record<Role, string>} */ ({
  failed: 'failed',
  cause: 'cause',
  miss: 'miss',
  stale: 'stale hit',
  follows: 'follows',
  undecided: 'not decided',
  ran: 'ran',
  hit: 'hit',
  cached: 'cached',
  resolved: 'source',
  source: 'source',
  unneeded: 'not needed',
  unknown: 'not known',
});
const ORDER = /** @type {Role[]} */ (Object.keys(WORDS));

/**
 * @param {Build} build
 * @param {(finding: Told, before: Node[], after: Node[]) => HTMLElement} item how a finding is shown
 * @returns {HTMLElement[]}
 */
export function built(build, item) {
  const { steps, causes, text } = build;
  const parts = [];
  if (causes.length > 0) {
    parts.push(made('ol', { class: 'findings causes', 'aria-label': 'Causes' }, ...causes.map(({ finding, steps: at, follow, lost }) => item(finding, places(build, at), reach(build, follow, lost)))));
  }
  if (text) parts.push(dockerfile(build));
  if (steps.length > 0) parts.push(made('section', { class: 'panel', 'aria-labelledby': 'graph-title' }, made('h3', { id: 'graph-title' }, 'The graph'), graph(steps.map((step) => ({ ...step, label: labelOf(build, step), word: WORDS[step.role] })))), table(build));
  return parts;
}

/**
 * The steps that have a cause.
 * @param {Build} build
 * @param {number[]} at
 */
function places(build, at) {
  const shown = at.slice(0, NAMED).flatMap((place) => build.steps[place] ?? []);
  const rows = shown.map((step) => made('p', { class: 'place' }, made('b', {}, labelOf(build, step)), ' ', made('code', {}, textOf(step))));
  if (at.length > NAMED) rows.push(made('p', { class: 'meta' }, `and ${at.length - NAMED} more`));
  return rows;
}

/**
 * What a cause led to.
 * @param {Build} build
 * @param {number[]} follow
 * @param {string} lost
 */
function reach(build, follow, lost) {
  const cost = lost ? `It cost ${lost}` : '';
  if (follow.length === 0) return cost ? [made('p', { class: 'reach' }, `${cost}.`)] : [];
  const names = follow.slice(0, NAMED).flatMap((place) => build.steps[place] ?? []);
  const made_ = `made ${count(follow.length, 'more step', 'more steps')} run: `;
  const more = follow.length > NAMED ? ' …' : '';
  return [made('p', { class: 'reach' }, cost ? `${cost} and ${made_}` : `It ${made_}`, names.map((step) => `${labelOf(build, step)} ${textOf(step)}`).join('; '), more)];
}

/** @param {Build} build */
function dockerfile(build) {
  const { file, text, steps } = build;
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  /** @type {(ShownStep | undefined)[]} */
  const on = [];
  /** @type {Set<number>} */
  const first = new Set();
  for (const step of steps) {
    for (const [from = 0, to = 0] of step.lines) {
      first.add(from);
      for (let line = from; line <= Math.min(to, LINES); line++) {
        const known = on[line];
        if (!known || ORDER.indexOf(step.role) < ORDER.indexOf(known.role)) on[line] = step;
      }
    }
  }
  const rows = lines.slice(0, LINES).map((line, index) => {
    const step = on[index + 1];
    const said = step && first.has(index + 1) ? [made('span', { class: `badge ${step.role}` }, WORDS[step.role]), ...(step.took ? [made('span', { class: 'took' }, step.took)] : [])] : [];
    return made('li', { class: step ? `line ${step.role}` : 'line' }, made('span', { class: 'number' }, String(index + 1)), made('code', {}, line), made('span', { class: 'said' }, ...said));
  });
  if (lines.length > LINES) rows.push(made('li', { class: 'line' }, `${lines.length - LINES} more lines are not shown.`));
  const list = made('ol', { class: 'lines', tabindex: '0', 'aria-labelledby': 'file-title' }, ...rows);
  // A long file begins at what is to blame.
  requestAnimationFrame(() => {
    const blamed = /** @type {HTMLElement | null} */ (list.querySelector('.cause, .failed, .miss'));
    if (blamed) list.scrollTop = blamed.offsetTop - list.offsetTop - list.clientHeight / 3;
  });
  return made('section', { class: 'panel', 'aria-labelledby': 'file-title' }, made('h3', { id: 'file-title' }, file || 'Dockerfile'), list);
}

/** @param {Build} build */
function table(build) {
  const head = made('tr', {}, ...['Line', 'Step', 'What became of it', 'Took'].map((name) => made('th', { scope: 'col' }, name)));
  const rows = build.steps.slice(0, STEPS).map((step) =>
    made('tr', {}, made('td', {}, rangeOf(step)), made('td', {}, made('span', { class: 'value' }, step.name)), made('td', {}, made('span', { class: `badge ${step.role}` }, WORDS[step.role]), step.code ? made('span', { class: 'code' }, ` ${step.code}`) : ''), made('td', {}, step.took)),
  );
  const more = build.steps.length > STEPS ? [made('p', { class: 'meta' }, `${build.steps.length - STEPS} more are not shown.`)] : [];
  return made('details', { class: 'steps' }, made('summary', {}, `All ${count(build.steps.length, 'step', 'steps')} as a table`), made('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'All steps' }, made('table', {}, made('thead', {}, head), made('tbody', {}, ...rows))), ...more);
}

/**
 * `Dockerfile:7`, or what the step is called in the log.
 * @param {Build} build
 * @param {ShownStep} step
 */
function labelOf({ file }, step) {
  const [[line] = []] = step.lines;
  return line === undefined ? (/^\[([^\]]*)\] /.exec(step.name)?.[1] ?? '') : `${file || 'Dockerfile'}:${line}`;
}

/** @param {ShownStep} step */
function textOf({ name }) {
  return name.replace(/^\[[^\]]*\] /, '');
}

/** @param {ShownStep} step */
function rangeOf({ lines }) {
  return lines.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}
