// From two documents to an answer that can be shown. All decisions are the
// component's; here they are only asked for.
import { count, hit, miss, note } from './answers.js';
import { alone, pair, predicted } from './builds.js';
import { KINDS } from './documents.js';

/**
 * @typedef {import('./documents.js').Document} Document
 * @typedef {import('./documents.js').Entry} Entry
 * @typedef {import('../dist/index.js').Instance} Instance
 * @typedef {import('./answers.js').Difference} Difference
 * @typedef {import('./answers.js').Finding} Finding
 * @typedef {import('./answers.js').Answer} Answer
 * @typedef {import('./answers.js').Answered} Answered
 * @typedef {import('./documents.js').BuildkitDocument} BuildkitDocument
 */

const GUARDED = { reading: /** @type {const} */ ('guarded') };

/** Findings that say that all is well. */
const GOOD = new Set(['docker/exact', 'buildkit/same', 'buildkit/hit', 'buildkit/hit-able']);
/** Findings about a cache that stop nothing. */
const HARMLESS = new Set(['nothing to do', 'nothing to do; with mode=min this is normal']);

/**
 * @param {Instance} instance
 * @param {Document | undefined} have
 * @param {Document | undefined} want
 * @param {boolean} order two builds may be the wrong way around
 * @returns {Answer}
 */
export function analyse(instance, have, want, order = false) {
  const answer = asked(instance, have, want, order);
  const rules = new Map(instance.rules.all().map((rule) => [rule.code, rule]));
  const told = (/** @type {Finding} */ finding) => ({
    ...finding,
    meaning: rules.get(finding.code)?.meaning ?? finding.code,
    advice: finding.hint ?? rules.get(finding.code)?.advice ?? '',
    good: GOOD.has(finding.code) || HARMLESS.has(rules.get(finding.code)?.advice ?? ''),
  });
  const { build, ...rest } = answer;
  return {
    ...rest,
    findings: answer.findings.map(told),
    ...(build && { build: { ...build, causes: build.causes.map((cause) => ({ ...cause, finding: told(cause.finding) })) } }),
  };
}

/**
 * @param {Instance} instance
 * @param {Document | undefined} have
 * @param {Document | undefined} want
 * @param {boolean} order
 * @returns {Answered}
 */
function asked(instance, have, want, order) {
  if (have?.kind === 'buildkit' && want?.kind === 'buildkit') return caches(instance, have, want);
  const only = have && want ? undefined : (have ?? want);
  if (only?.kind === 'buildkit') return cache(instance, only);
  if (only?.kind === 'build') return alone(instance, only.documents);
  if (have?.kind === 'build' || want?.kind === 'build') return withBuild(instance, have, want, order);
  if (!have && !want) return note('Nothing is there yet', 'Drop files, paste text, or choose an example above.');
  if (!have || !want) {
    const { kind } = /** @type {Document} */ (only);
    return note('Give both sides', `${KINDS[kind]} is there: give ${have ? 'what the build wants' : 'what the cache has'}, too.`);
  }
  if (have.kind === 'buildkit' || want.kind === 'buildkit') {
    return note('These two cannot be compared', `A BuildKit cache is compared with another BuildKit cache, and not with ${KINDS[have.kind === 'buildkit' ? want.kind : have.kind]}.`);
  }
  if (have.kind === 'step' && want.kind === 'step') return steps(instance, have.config, want.config);
  if (have.kind === 'step') return asked(instance, want, have, order);
  if (want.kind === 'step') return inHistory(instance, have, want.config);
  return images(instance, have, want);
}

/**
 * Two builds, a build and its log, or a cache and a build.
 * @param {Instance} instance
 * @param {Document | undefined} have
 * @param {Document | undefined} want
 * @param {boolean} order
 */
function withBuild(instance, have, want, order) {
  if (have?.kind === 'build' && want?.kind === 'build') {
    const [log, build] = have.log ? [have, want] : [want, have];
    if (log.log && !build.log) return alone(instance, build.documents.map((documents) => [...documents, ...log.documents.flat()]));
    return pair(instance, have.documents, want.documents, order);
  }
  if (have?.kind === 'buildkit' && want?.kind === 'build') return predicted(instance, inputOf(have), want.documents);
  if (have?.kind === 'build' && want?.kind === 'buildkit') return { ...predicted(instance, inputOf(want), have.documents), swapped: order };
  const other = /** @type {Document} */ (have?.kind === 'build' ? want : have);
  return note('These two cannot be compared', `A build is compared with an earlier build or with a BuildKit cache, and not with ${KINDS[other.kind]}.`);
}

/**
 * @param {Instance} instance
 * @param {string} have
 * @param {string} want
 */
function steps(instance, have, want) {
  const differences = configs(instance, have, want);
  if (differences.length === 0) return hit('Hit: the same step', 'The rules of the classic builder call these container configs equal.');
  return miss('Miss: another step', count(differences.length, 'compared field differs', 'compared fields differ'), [
    { code: 'docker/config-mismatch', subject: 'container config', differences },
  ]);
}

/**
 * Two images, or an image and a history: where they part.
 * @param {Instance} instance
 * @param {Exclude<Document, { kind: 'step' | 'buildkit' | 'build' }>} have
 * @param {Exclude<Document, { kind: 'step' | 'buildkit' | 'build' }>} want
 */
function images(instance, have, want) {
  /** @type {Finding[]} */
  const findings = [];
  if (have.kind === 'image' && want.kind === 'image') {
    const [[fits = true] = []] = instance.docker.matchPlatforms([want.platform], [have.platform], '', GUARDED);
    if (!fits) findings.push({ code: 'docker/platform-mismatch', subject: 'platform', differences: members(have.platform, want.platform) });
    const differences = configs(instance, have.config, want.config);
    if (differences.length > 0) findings.push({ code: 'docker/config-mismatch', subject: 'container config', differences });
    const layer = have.layers.findIndex((id, at) => at >= want.layers.length || id !== want.layers[at]);
    const at = layer >= 0 ? layer : want.layers.length > have.layers.length ? have.layers.length : -1;
    if (at >= 0) {
      const parted = { path: `rootfs.diff_ids[${at}]`, have: have.layers[at], want: want.layers[at] };
      findings.push({ code: 'docker/layer-mismatch', subject: `layer ${at + 1}`, differences: [parted] });
    }
  }
  findings.push(...histories(instance, have.history, want.history));
  const compared = Math.max(have.history.length, want.history.length);
  /** @type {[string, string][]} */
  const facts = [['history entries', `${have.history.length} / ${want.history.length}`]];
  if (have.kind === 'image' && want.kind === 'image') facts.push(['layers', `${have.layers.length} / ${want.layers.length}`]);
  if (findings.length === 0) return hit('Hit: nothing differs', `Platform, config, layers and ${count(compared, 'history entry', 'history entries')} agree.`, facts);
  const roots = findings.filter((finding) => !finding.cascade);
  return miss(`Miss: ${count(roots.length, 'reason', 'reasons')}`, 'The first thing that differs comes first in each list; what follows from it is marked.', order(findings), facts);
}

/**
 * The entries that differ: the first is why, the others follow from it.
 * @param {Instance} instance
 * @param {Entry[]} have
 * @param {Entry[]} want
 * @returns {Finding[]}
 */
function histories(instance, have, want) {
  /** @type {Finding[]} */
  const findings = [];
  for (let at = 0; at < Math.max(have.length, want.length); at++) {
    const [ours, theirs] = [have[at], want[at]];
    const found =
      ours && theirs
        ? instance.docker.compareHistory(JSON.stringify(ours), JSON.stringify(theirs))
        : [{ path: 'created_by', have: ours?.created_by, want: theirs?.created_by }];
    if (found.length === 0) continue;
    const differences = found.map(({ path, ...sides }) => ({ path: `history[${at}].${path}`, ...sides }));
    findings.push({ code: 'docker/history-mismatch', subject: `entry ${at + 1}`, differences, cascade: findings.length > 0 });
  }
  return findings;
}

/**
 * Which entry a step would have been.
 * @param {Instance} instance
 * @param {{ history: Entry[] }} have
 * @param {string} config
 */
function inHistory(instance, { history }, config) {
  /** @type {Finding[]} */
  const findings = [];
  for (const [at, entry] of history.entries()) {
    const finding = instance.docker.compareCommand(JSON.stringify(entry), config, GUARDED);
    if (!finding) {
      const text = `Entry ${at + 1} of ${history.length} was made by this command. What came before it must be the same, too.`;
      return hit('Hit: the step is in the history', text, [], [
        { code: 'docker/exact', subject: `entry ${at + 1}`, differences: [{ path: `history[${at}].created_by`, have: entry.created_by, want: entry.created_by }] },
      ]);
    }
    const differences = finding.differences.map((one) => ({ ...one, path: one.path.replace('history[0]', `history[${at}]`) }));
    findings.push({ ...finding, subject: `entry ${at + 1}`, differences });
  }
  if (findings.length === 0) return miss('Miss: the history is empty', 'There is nothing that could be used.', [{ code: 'docker/no-history', subject: 'history', differences: [] }]);
  const near = (/** @type {Finding} */ finding) => Number(finding.differences.find(({ path }) => path === 'first-differing-byte')?.have ?? 0);
  findings.sort((a, b) => near(b) - near(a));
  return miss('Miss: no entry was made by this command', `The nearest of ${count(history.length, 'entry', 'entries')} comes first.`, findings.map((finding, index) => {
    // Where they part is marked in the texts themselves.
    const differences = finding.differences.filter(({ path }) => path !== 'first-differing-byte');
    return { ...finding, differences, other: index > 0 };
  }));
}

/**
 * @param {Instance} instance
 * @param {BuildkitDocument} document
 */
function cache(instance, document) {
  const { findings, verdicts, statistics } = instance.buildkit.inspect(inputOf(document), false, []);
  const usable = verdicts.filter(({ standing }) => standing === 'hit').length;
  /** @type {[string, string][]} */
  const facts = [
    ['records', String(verdicts.length)],
    ['with a result', String(usable)],
    ['without a result of their own', String(verdicts.filter(({ standing }) => standing === 'key').length)],
    ['that no lookup reaches', String(verdicts.filter(({ standing }) => standing === 'dead').length)],
  ];
  const text = document.input ? '' : 'What the manifest lists is taken to be what the config names.';
  const refused = statistics.records === 0n && verdicts.length > 0;
  if (!refused) facts.push(['layers', String(statistics.blobs)]);
  if (refused) return miss('Readers refuse this cache', `Nothing of it can be used. ${text}`, findings, facts);
  if (verdicts.some(({ standing }) => standing === 'dead')) return miss('Some records can never hit', text, findings, facts);
  return { ...hit('This cache can be used', `${count(usable, 'record offers', 'records offer')} a result. ${text}`, facts), findings };
}

/**
 * @param {Instance} instance
 * @param {BuildkitDocument} have
 * @param {BuildkitDocument} want
 */
function caches(instance, have, want) {
  const first = instance.buildkit.read(inputOf(have), { semantics: GUARDED });
  const second = instance.buildkit.read(inputOf(want), { semantics: GUARDED });
  try {
    const { summary, findings } = first.compare(second);
    /** @type {[string, string][]} */
    const facts = summary.differences.map(({ path, have, want }) => [path, want === undefined ? String(have) : `${have} / ${want}`]);
    if (summary.code === 'buildkit/same') return hit('Hit: the same cache', 'No build parts from one to the other.', facts, [summary]);
    const roots = findings.filter(({ cascade }) => !cascade).length;
    return miss(`Miss: the caches part at ${count(roots, 'record', 'records')}`, 'Where the builds parted comes first; what stands on it is a consequence.', findings, facts);
  } finally {
    first.close();
    second.close();
  }
}

/**
 * A cache in a layout, or its config by itself.
 * @param {BuildkitDocument} document
 * @returns {import('../dist/index.js').Buildkit.Input}
 */
function inputOf({ text, input }) {
  return input ?? { tag: 'config', val: { text, descriptors: descriptors(text) } };
}

/**
 * What a manifest would list: the blobs that the config names.
 * @param {string} text
 */
function descriptors(text) {
  /** @type {unknown} */
  let layers;
  try {
    layers = JSON.parse(text).layers;
  } catch {
    layers = [];
  }
  const blobs = (Array.isArray(layers) ? layers : []).map((layer) => layer?.blob).filter((blob) => typeof blob === 'string');
  const annotations = { 'containerd.io/uncompressed': '', 'buildkit/createdat': '2020-01-01T00:00:00Z' };
  return JSON.stringify(
    [...new Set(blobs)].map((digest) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest,
      size: 1,
      annotations: { ...annotations, 'containerd.io/uncompressed': digest },
    })),
  );
}

/**
 * @param {Instance} instance
 * @param {string | undefined} have
 * @param {string | undefined} want
 * @returns {Difference[]}
 */
function configs(instance, have, want) {
  if (have === undefined && want === undefined) return [];
  const { differences, overlooked } = instance.docker.compareConfigs(have, want, GUARDED);
  return [...differences, ...overlooked];
}

/**
 * @param {Record<string, string>} have
 * @param {Record<string, string>} want
 * @returns {Difference[]}
 */
function members(have, want) {
  const names = Object.keys({ ...have, ...want }).filter((name) => have[name] !== want[name]);
  return names.map((path) => ({ path, have: have[path] || undefined, want: want[path] || undefined }));
}

/**
 * Reasons first, consequences after them.
 * @param {Finding[]} findings
 */
function order(findings) {
  return [...findings.filter(({ cascade }) => !cascade), ...findings.filter(({ cascade }) => cascade)];
}
