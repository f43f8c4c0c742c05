// What crossing the boundary costs: `npm run bench`. Medians, and the minimum in
// brackets; prints the table of the README.
import { Engine, Failure } from '../dist/index.js';
import { image, MAKE, PLATFORM, sample, sha256 } from './support.js';

const BATCHES = 25;
const { images, base } = sample();

/** Microseconds of one run: the median and the least of several batches. */
function measured(runs, work) {
  for (let run = 0; run < runs; run++) work();
  const times = Array.from({ length: BATCHES }, () => {
    const start = performance.now();
    for (let run = 0; run < runs; run++) work();
    return ((performance.now() - start) * 1000) / runs;
  }).sort((a, b) => a - b);
  return `${shown(times[BATCHES >> 1])} (${shown(times[0])})`;
}

function shown(microseconds) {
  return microseconds >= 1000 ? `${(microseconds / 1000).toFixed(1)} ms` : `${microseconds.toFixed(1)} us`;
}

const start = performance.now();
const engine = await Engine.load();
const load = performance.now() - start;
const session = engine.docker({ images });
const step = { parent: base, config: MAKE, platform: PLATFORM };
session.lookup(step);
const instance = engine.instance();

const counted = { calls: 0 };
const many = sample();
const children = Array.from({ length: 1000 }, (_, at) => many.images.add(image([sha256('base'), sha256(`${at}`)], { container_config: { Env: [`N=${at}`] } }), { parent: many.base, built: 'built-here' }));
const get = many.images.get.bind(many.images);
many.images.get = (...args) => {
  counted.calls++;
  return get(...args);
};
const crowd = engine.docker({ images: many.images });
crowd.lookup({ ...step, parent: many.base });
const calls = counted.calls;

const rows = [
  ['load and compile', shown(load * 1000)],
  ['a fresh instance', measured(20, () => engine.instance())],
  ['open a session in an instance', measured(50, () => instance.docker.open({}).close())],
  ['a lookup with a hit, one child, 1 import call', measured(200, () => session.lookup(step))],
  [`a lookup among ${children.length} children that were seen before`, measured(3, () => crowd.lookup({ ...step, parent: many.base }))],
  ['a call without imports that compares two configs', measured(200, () => instance.docker.compareConfigs(MAKE, MAKE, {}))],
  ['one import call, with records and strings', importCall()],
  ['memory of an idle session', memory()],
];
console.log(`${calls} batched reads were made for ${children.length} new children\n`);
console.log(['| what | median (minimum) |', '|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n'));

/** Opening a session with a source asks the image store once: that, less opening one without. */
function importCall() {
  const { docker } = engine.instance({ images: { resolve: (references) => references.map(() => new Failure('not-found', '')) } });
  const times = (work) => {
    for (let run = 0; run < 500; run++) work();
    return Array.from({ length: BATCHES }, () => {
      const start = performance.now();
      for (let run = 0; run < 500; run++) work();
      return (performance.now() - start) * 2;
    }).sort((a, b) => a - b);
  };
  const cacheFrom = [{ reference: 'x', trusted: true }];
  const [none, one] = [times(() => docker.open({}).close()), times(() => docker.open({ cacheFrom }).close())];
  const each = (at) => shown(one[at] - none[at]);
  return `${each(BATCHES >> 1)} (${each(0)})`;
}

/** Bytes of one more session. */
function memory() {
  const count = 200;
  globalThis.gc?.();
  const before = process.memoryUsage();
  const kept = Array.from({ length: count }, () => engine.docker({ images }));
  globalThis.gc?.();
  const after = process.memoryUsage();
  const each = (member) => `${Math.round((after[member] - before[member]) / count / 1024)} KiB`;
  const text = `${each('heapUsed')} of JavaScript heap, ${each('rss')} resident in all`;
  for (const one of kept) one.close();
  return text;
}
