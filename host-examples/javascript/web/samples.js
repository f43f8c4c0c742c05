// Documents to try the page with.

/** @param {string} digit */
const id = (digit) => `sha256:${digit.repeat(64)}`;
/** @param {unknown} value */
const text = (value) => JSON.stringify(value, null, 2);

const BASE = { created: '2026-01-01T00:00:00Z', created_by: 'ADD rootfs.tar / # buildkit' };

/**
 * @param {string} mode
 * @param {string} command
 * @param {string} layer
 */
function image(mode, command, layer) {
  return text({
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-03T00:00:00Z',
    config: { Env: ['PATH=/usr/local/bin:/usr/bin:/bin', `MODE=${mode}`], Cmd: ['/app/serve'], WorkingDir: '/app' },
    history: [BASE, { created: '2026-01-02T00:00:00Z', created_by: command }, { created: '2026-01-03T00:00:00Z', created_by: 'COPY app /app # buildkit' }],
    rootfs: { type: 'layers', diff_ids: [id('1'), id(layer), id('3')] },
  });
}

const HISTORY = [
  { CreatedAt: '2026-01-03T10:00:00Z', CreatedBy: '/bin/sh -c make install', Comment: '', Size: '4.2MB' },
  { CreatedAt: '2026-01-02T10:00:00Z', CreatedBy: '/bin/sh -c make -j4 test', Comment: '', Size: '11MB' },
  { CreatedAt: '2026-01-01T10:00:00Z', CreatedBy: '/bin/sh -c #(nop) ADD file:8d2c in / ', Comment: '', Size: '80MB' },
];

/**
 * @param {string} source
 * @param {object[]} more
 */
function cache(source, more = []) {
  return text({
    layers: [{ blob: id('a'), parent: -1 }, { blob: id('b'), parent: 0 }],
    records: [
      { digest: id('1'), layers: [{ layer: 0, createdAt: '2026-01-01T00:00:00Z' }] },
      { digest: id(source), inputs: [[{ link: 0 }]] },
      { digest: id('4'), inputs: [[{ link: 1 }]], layers: [{ layer: 1, createdAt: '2026-01-02T00:00:00Z' }] },
      ...more,
    ],
  });
}

/** @type {{ name: string, slug: string, have: { file?: string, text?: string }, want: { file?: string, text?: string } }[]} */
export const SAMPLES = [
  { name: 'Two builds', slug: 'two-builds', have: { file: 'base-big.dockerbuild' }, want: { file: 'big-s10.dockerbuild' } },
  { name: 'A changed variable', slug: 'changed-variable', have: { file: 'base-args.dockerbuild' }, want: { file: 'args-env.dockerbuild' } },
  { name: 'A build and a cache', slug: 'build-and-cache', have: { file: 'cache-args.json' }, want: { file: 'args-unused.dockerbuild' } },
  { name: 'Two images', slug: 'two-images', have: { text: image('fast', 'RUN /bin/sh -c make # buildkit', '2') }, want: { text: image('safe', 'RUN /bin/sh -c make -j4 # buildkit', '4') } },
  { name: 'A history and a step', slug: 'history-and-step', have: { text: HISTORY.map((line) => JSON.stringify(line)).join('\n') }, want: { text: 'RUN make -j8 test' } },
  { name: 'A broken BuildKit cache', slug: 'broken-cache', have: { text: cache('2', [{ digest: id('5'), inputs: [[{ link: 9 }]] }]) }, want: { text: '' } },
  { name: 'Two BuildKit caches', slug: 'two-caches', have: { text: cache('2') }, want: { text: cache('3') } },
];
