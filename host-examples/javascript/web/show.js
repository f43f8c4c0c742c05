// An answer as elements: the verdict, causes with their differences, and what else was found.
import { built } from './show-build.js';
import { made } from './dom.js';

/** @typedef {import('./answers.js').Answer} Answer */
/** @typedef {import('./answers.js').Told} Told */

/** How many findings are shown at once. */
const SHOWN = 200;

/**
 * @param {string} title
 * @param {string} text
 * @returns {Answer}
 */
export function problem(title, text) {
  return { verdict: 'note', title, text, facts: [], findings: [] };
}

/**
 * @param {Answer} answer
 * @param {boolean} both whether both sides were given
 * @returns {HTMLElement[]}
 */
export function shown({ verdict, title, text, facts, findings, build }, both) {
  const parts = [made('div', { class: `verdict ${verdict}` }, made('h3', {}, title), made('p', {}, text))];
  if (facts.length > 0) {
    parts.push(made('ul', { class: 'facts' }, ...facts.map(([name, value]) => made('li', {}, made('b', {}, value), ` ${name}`))));
  }
  const sides = build ? build.sides : /** @type {[string, string]} */ (['The cache has', 'The build wants']);
  const roots = findings.filter(({ cascade, other, good }) => !cascade && !other && !(good && verdict !== 'hit'));
  const others = findings.filter((finding) => !roots.includes(finding));
  if (build) parts.push(...built(build, (finding, before, after) => item(finding, sides, both, before, after)));
  if (roots.length > 0) parts.push(list(roots, sides, both, verdict === 'note'));
  if (others.length > 0) parts.push(made('details', {}, made('summary', {}, `${others.length} more: consequences, other candidates, and what need not worry you`), list(others, sides, both)));
  return parts;
}

/**
 * @param {Told[]} findings
 * @param {[string, string]} sides
 * @param {boolean} both
 * @param {boolean} quiet whether they are no misses
 */
function list(findings, sides, both, quiet = false) {
  const items = findings.slice(0, SHOWN).map((finding) => item(quiet ? { ...finding, other: true } : finding, sides, both));
  if (findings.length > SHOWN) items.push(made('li', { class: 'finding quiet' }, `${findings.length - SHOWN} more are not shown.`));
  return made('ol', { class: 'findings' }, ...items);
}

/**
 * @param {Told} finding
 * @param {[string, string]} sides
 * @param {boolean} both
 * @param {Node[]} before what stands above it
 * @param {Node[]} after what stands below it
 */
function item(finding, sides, both, before = [], after = []) {
  const { code, subject, differences, meaning, advice, good, cascade, other, compared } = finding;
  const kind = good ? 'good' : cascade || other ? 'quiet' : '';
  const note = cascade ? ' · a consequence' : other && compared === undefined ? ' · another candidate' : '';
  const about = before.length > 0 || !subject ? '' : ` · ${subject}`;
  const parts = [
    ...before,
    made('h4', {}, meaning.charAt(0).toUpperCase() + meaning.slice(1)),
    made('p', { class: 'meta' }, made('span', { class: 'code' }, code), about, note),
  ];
  if (differences.length > 0) {
    // What is found in one document by itself has one side only.
    const two = compared ?? (differences.some(({ want }) => want !== undefined) || both);
    const head = made('tr', {}, ...['What', ...(two ? sides : ['Found'])].map((name) => made('th', { scope: 'col' }, name)));
    const rows = differences.slice(0, SHOWN).map((difference) => row(difference, two ? sides : []));
    parts.push(made('table', {}, made('thead', {}, head), made('tbody', {}, ...rows)));
    if (differences.length > SHOWN) parts.push(made('p', { class: 'meta' }, `${differences.length - SHOWN} more are not shown.`));
  }
  if (advice && !/^nothing\b/.test(advice)) parts.push(made('p', { class: 'advice' }, `${advice}.`));
  return made('li', { class: `finding ${kind}`.trim() }, ...parts, ...after);
}

/**
 * @param {{ path: string, have?: string | undefined, want?: string | undefined }} difference
 * @param {string[]} sides none for a fact
 */
function row({ path, have, want }, sides) {
  const [before, after] = sides.length > 0 ? around(have, want) : [have?.length ?? 0, 0];
  const cells = [made('td', {}, made('span', { class: 'value' }, path)), cell('have', have, before, after, sides[0]), cell('want', want, before, after, sides[1])];
  return made('tr', {}, ...cells.slice(0, sides.length > 0 ? 3 : 2));
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
 * @param {string | undefined} label what the side is called, where the table has no room for a head
 */
function cell(side, text, before, after, label) {
  return made('td', label ? { 'data-label': label } : {}, value(side, text, before, after));
}

/**
 * @param {'have' | 'want'} side
 * @param {string | undefined} text
 * @param {number} before
 * @param {number} after
 */
function value(side, text, before, after) {
  if (text === undefined) return made('span', { class: 'absent' }, 'absent');
  if (text === '') return made('span', { class: 'absent' }, 'empty');
  const end = text.length - after;
  const marked = end > before ? [made('mark', {}, text.slice(before, end))] : [];
  return made('span', { class: `value ${side}` }, text.slice(0, before), ...marked, text.slice(end));
}
