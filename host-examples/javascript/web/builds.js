// Builds by BuildKit: what one did, why its steps ran against an earlier one, and
// what would be found in a cache. The component decides; here it is only asked.
import { readBuilds } from '../dist/builds.js';
import { secondsOf } from '../dist/explain.js';
import { count, hit, miss, note } from './answers.js';

/**
 * @typedef {import('../dist/index.js').Instance} Instance
 * @typedef {import('../dist/index.js').Builds.Step} Step
 * @typedef {import('../dist/index.js').Builds.Verdict} Verdict
 * @typedef {import('../dist/index.js').Builds.Prediction} Prediction
 * @typedef {import('../dist/index.js').Builds.Document} Part
 * @typedef {import('../dist/index.js').Closing<import('../dist/index.js').Builds.Build>} Build
 * @typedef {import('../dist/index.js').Buildkit.Input} Input
 * @typedef {import('./answers.js').Answered} Answered
 * @typedef {import('./answers.js').ShownStep} ShownStep
 * @typedef {import('./answers.js').Role} Role
 */

/** Values that their names call secret are not shown. */
const VALUES = 'not-secret';

/**
 * @param {Instance} instance
 * @param {Part[][]} before
 * @param {Part[][]} now
 * @param {boolean} order the sides may be the wrong way around
 * @returns {Answered}
 */
export function pair(instance, before, now, order) {
  const [old, recent] = [readBuilds(instance, before), readBuilds(instance, now)];
  const time = (/** @type {Build[]} */ builds) => builds[0]?.describe().created ?? 0n;
  if (order && time(old) > time(recent)) return { ...compared(instance, recent, old), swapped: true };
  return compared(instance, old, recent);
}

/**
 * One file: if it has several builds, the newest against the one before.
 * @param {Instance} instance
 * @param {Part[][]} documents
 * @returns {Answered}
 */
export function alone(instance, documents) {
  const [build, ...earlier] = readBuilds(instance, documents);
  if (!build) return note('No build is in this file', 'Export one with docker buildx history export.');
  const at = earlier.length > 0 ? instance.builds.before(build.describe(), earlier.map((one) => one.describe())) : undefined;
  if (at !== undefined) return compared(instance, earlier, [build]);
  const steps = build.steps();
  const [ran, all, unknown] = tally(steps);
  const { error, canceled } = build.describe();
  const ask = 'Give an earlier build of the same Dockerfile, too, to see why.';
  const title = error ? ended(canceled) : unknown > 0 ? notKnown(unknown, all) : `${ran} of ${count(all, 'step', 'steps')} ran`;
  const text = error ? `${error}. ${ask}` : ran > 0 || unknown > 0 ? ask : 'All came from the cache.';
  const answer = ran > 0 || unknown > 0 || error ? { ...note(title, text), verdict: /** @type {const} */ ('note') } : hit('Everything came from the cache', 'No step ran again.');
  return { ...answer, facts: facts(build), build: { ...fileOf(build), steps: steps.map((step) => shown(step, plain(step))), causes: [], sides: ['Before', 'Now'] } };
}

/**
 * What a build would find in a cache.
 * @param {Instance} instance
 * @param {Input} cache
 * @param {Part[][]} documents
 * @returns {Answered}
 */
export function predicted(instance, cache, documents) {
  const [build] = readBuilds(instance, documents);
  if (!build) return note('No build is in this file', 'Export one with docker buildx history export.');
  const predictions = build.predict([cache], {}, VALUES);
  const of = (/** @type {Prediction['outcome']} */ outcome) => predictions.filter((one) => one.outcome === outcome).length;
  const [hits, misses, open] = [of('hit'), of('miss'), of('undecidable')];
  const title = `${hits} hit, ${misses} miss, ${open} not decided`;
  const text = 'What a build with this definition would find in this cache. Steps that copy files of the client are not decided without them.';
  const answer = misses > 0 ? miss(title, text, []) : open > 0 ? note(title, text) : hit(title, text);
  /** @type {Record<Prediction['outcome'], Role>} */
  const roles = { hit: 'hit', miss: 'miss', undecidable: 'undecided', source: 'source' };
  const steps = predictions.map(({ step, outcome, findings }) => shown(step, roles[outcome], findings[0]?.code));
  return { ...answer, facts: facts(build), findings: distinct(predictions), build: { ...fileOf(build), steps, causes: [], sides: ['Cache', 'Build'] } };
}

/**
 * @param {Instance} instance
 * @param {Build[]} old
 * @param {Build[]} recent
 * @returns {Answered}
 */
function compared(instance, old, recent) {
  const now = /** @type {Build} */ (recent[0]);
  const at = instance.builds.before(now.describe(), old.map((one) => one.describe()));
  const before = /** @type {Build} */ (old[at ?? 0]);
  const { verdicts, causes } = now.why(before, {}, VALUES);
  const [ran, all, unknown] = tally(verdicts.map(({ step }) => step));
  const lost = causes.reduce((sum, cause) => sum + cause.lost, 0n);
  const { error, canceled } = now.describe();
  const title = error ? `${ended(canceled)} after ${count(ran, 'step', 'steps')} of ${all} ran` : unknown > 0 ? `${notKnown(unknown, all)}: ${count(causes.length, 'cause', 'causes')}` : ran === 0 ? 'Everything came from the cache' : `${ran} of ${count(all, 'step', 'steps')} ran again: ${count(causes.length, 'cause', 'causes')}`;
  const stale = verdicts.filter(({ unseen }) => unseen).length;
  const text = [
    error && `${error}.`,
    lost > 0n && `That took ${secondsOf(lost)}.`,
    stale > 0 && `${count(stale, 'step', 'steps')} came from the cache although files changed: the daemon did not see it.`,
    at === undefined && 'The two builds were asked for different things, so more may differ than you changed.',
  ];
  const told = text.filter((line) => line).join(' ') || (unknown > 0 ? 'No log tells of them. The causes are what differs between the definitions.' : ran === 0 ? 'No step ran again.' : 'The costliest cause comes first; what merely follows is grey.');
  const answer = error || causes.length > 0 || stale > 0 ? miss(title, told, []) : unknown > 0 ? note(title, told) : hit(title, told);
  const steps = verdicts.map((verdict) => shown(verdict.step, role(verdict), verdict.findings[0]?.code));
  const shownCauses = causes.map(({ finding, steps, follow, lost }) => ({ finding: { ...finding, compared: sided(finding.code) }, steps: [...steps], follow: [...follow], lost: lost > 0n ? secondsOf(lost) : '' }));
  const worth = verdicts.filter(({ root }) => !root).flatMap(({ findings }) => findings.filter(({ cascade }) => !cascade));
  return {
    ...answer,
    facts: facts(now),
    findings: worth.map((finding) => ({ ...finding, compared: sided(finding.code), other: true })),
    build: { ...fileOf(now), steps, causes: shownCauses, sides: ['Before', 'Now'] },
  };
}

/**
 * Whether the differences of a finding have two sides; elsewhere they are facts.
 * @param {string} code
 */
function sided(code) {
  return /\/(definition-changed|base-moved|source-changed|source-other|source-new|parent-changed|same-layers)$/.test(code);
}

/**
 * @param {Verdict} verdict
 * @returns {Role}
 */
function role({ step, root, unseen }) {
  if (step.state === 'cached' && unseen) return 'stale';
  if ((step.state === 'ran' || step.state === 'resolved' || step.state === 'unknown') && root) return 'cause';
  if (step.state === 'ran' && step.inputs.length > 0) return 'follows';
  return plain(step);
}

/**
 * @param {Step} step
 * @returns {Role}
 */
function plain({ state, inputs }) {
  if (state === 'resolved' || (state === 'ran' && inputs.length === 0)) return 'source';
  return state;
}

/**
 * @param {Step} step
 * @param {Role} role
 * @param {string} [code]
 * @returns {ShownStep}
 */
function shown({ name, lines, inputs, spent, platform, state }, role, code = '') {
  const took = spent !== undefined && state !== 'cached' ? secondsOf(spent) : '';
  return { name, lines: lines.map(({ first, last }) => [first, last]), inputs: [...inputs], role, took, platform, code };
}

/** @param {boolean} canceled */
function ended(canceled) {
  return canceled ? 'The build was cancelled' : 'The build failed';
}

/**
 * @param {number} unknown
 * @param {number} all
 */
function notKnown(unknown, all) {
  return `What ${unknown} of ${count(all, 'step', 'steps')} did is not known`;
}

/**
 * How many ran, all, and of how many it is not known.
 * @param {Step[]} steps
 * @returns {[number, number, number]}
 */
function tally(steps) {
  const real = steps.filter(({ inputs }) => inputs.length > 0);
  return [real.filter(({ state }) => state === 'ran' || state === 'failed').length, real.length, real.filter(({ state }) => state === 'unknown').length];
}

/** @param {Build} build */
function fileOf(build) {
  const { dockerfile } = build.describe();
  return dockerfile ? { file: dockerfile.name, text: dockerfile.text } : { file: '', text: '' };
}

/**
 * @param {Build} build
 * @returns {[string, string][]}
 */
function facts(build) {
  const { name, created, completed, platforms, images } = build.describe();
  /** @type {[string, string][]} */
  const all = [
    ['build', name],
    ['image', images.join(', ')],
    ['platforms', platforms.join(', ')],
    ['in all', created !== undefined && completed !== undefined ? secondsOf(completed - created) : ''],
  ];
  return all.filter(([, value]) => value !== '');
}

/**
 * One finding for each code, with its steps.
 * @param {Prediction[]} predictions
 */
function distinct(predictions) {
  /** @type {Map<string, import('./answers.js').Finding>} */
  const found = new Map();
  for (const { step, findings } of predictions) {
    for (const finding of findings) {
      const known = found.get(finding.code) ?? { ...finding, subject: '', differences: [], compared: false };
      found.set(finding.code, { ...known, subject: known.subject ? `${known.subject}, ${step.name}` : step.name, differences: [...known.differences, ...finding.differences] });
    }
  }
  return [...found.values()];
}
