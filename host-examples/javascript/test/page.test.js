// The page in headless Chromium: offline, from a file and from a server, with
// the keyboard, with files, and with hostile data.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { documentOf } from '../web/documents.js';
import { place } from '../web/graph.js';
import { needs } from './live.js';
import { image, sha256 } from './support.js';

const PAGE = new URL('../web/dist/index.html', import.meta.url);

/** Where pictures of the page are put, to be looked at. */
const SHOTS = process.env['LAYERWISE_SHOTS'] ?? mkdtempSync(join(tmpdir(), 'layerwise-shots-'));
process.on('exit', () => process.env['LAYERWISE_SHOTS'] ?? rmSync(SHOTS, { recursive: true, force: true }));
const BUILDS = new URL('../../../tests/vectors/buildkit-builds/', import.meta.url);

/**
 * @param {import('node:test').TestContext} context
 * @param {string} address
 * @param {import('playwright-core').BrowserContextOptions} more
 */
async function open(context, address = PAGE.href, more = {}) {
  const program = needs(context, 'chromium', 'chromium-browser', 'google-chrome');
  if (!program) return undefined;
  const browser = await chromium.launch({ executablePath: await whereIs(program), args: ['--no-sandbox'] });
  context.after(() => browser.close());
  const page = await (await browser.newContext({ offline: address.startsWith('file:'), ...more })).newPage();
  /** @type {string[]} */
  const problems = [];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => !/^(file|data|blob):/.test(request.url()) && request.url().split('#')[0] !== address.split('#')[0] && problems.push(request.url()));
  await page.goto(address);
  await page.getByText('nothing is sent anywhere').waitFor();
  context.after(() => assert.deepEqual(problems, []));
  return page;
}

/** @param {string} program */
async function whereIs(program) {
  const { spawnSync } = await import('node:child_process');
  return spawnSync('which', [program], { encoding: 'utf8' }).stdout.trim();
}

/**
 * The documents of a pair of builds.
 * @param {string} wanted
 */
function vector(wanted) {
  const { bases, scenarios } = JSON.parse(gunzipSync(readFileSync(new URL('builds.json.gz', BUILDS))).toString());
  const scenario = scenarios.find((/** @type {{ name: string }} */ { name }) => name === wanted);
  return { scenario, base: bases[scenario.base] };
}

/**
 * A file with this text.
 * @param {string} name
 * @param {string} content
 */
function text(name, content) {
  const folder = mkdtempSync(join(tmpdir(), 'layerwise-drop-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/**
 * Waits for the answer to what was asked last.
 * @param {import('playwright-core').Page} page
 */
const answered = (page) => page.locator('#answer[aria-busy="false"] .verdict').waitFor();

/**
 * Drops files.
 * @param {import('playwright-core').Page} page
 * @param {string} where
 * @param {...string} paths
 */
async function drop(page, where, ...paths) {
  const files = paths.map((path) => ({ name: basename(path), base64: readFileSync(path).toString('base64') }));
  const dataTransfer = await page.evaluateHandle((files) => {
    const data = new DataTransfer();
    for (const { name, base64 } of files) data.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name));
    return data;
  }, files);
  await page.dispatchEvent(where, 'drop', { dataTransfer });
}

test('examples are explained, offline, from a file', async (context) => {
  const page = await open(context);
  if (!page) return;
  const verdict = page.locator('.verdict h3');
  for (const [name, title, code] of [
    ['Two images', 'Miss: 3 reasons', 'docker/config-mismatch'],
    ['A history and a step', 'Miss: no entry was made by this command', 'docker/command-mismatch'],
    ['A broken BuildKit cache', 'Readers refuse this cache', 'buildkit/dangling-link'],
    ['Two BuildKit caches', 'Miss: the caches part at 1 record', 'buildkit/record-changed'],
  ]) {
    await page.getByRole('button', { name }).click();
    await page.getByText(String(title)).waitFor();
    assert.equal(await verdict.innerText(), title);
    assert.ok((await page.locator('.finding .code').allInnerTexts()).includes(String(code)), code);
  }
  await page.getByRole('button', { name: 'Two images' }).click();
  await page.getByText('Miss: 3 reasons').waitFor();
  const [field, have, want] = await page.locator('.finding').first().locator('td').allInnerTexts();
  assert.deepEqual([field, have, want], ['Env[1]', 'MODE=fast', 'MODE=safe']);
  assert.deepEqual(await page.locator('.finding').first().locator('mark').allInnerTexts(), ['fast', 'safe']);
  assert.match(await page.locator('.finding').first().locator('.advice').innerText(), /undo the change/);
});

/** @param {string} name */
const record = (name) => fileURLToPath(new URL(`dockerbuild/${name}.dockerbuild`, BUILDS));

test('two dropped files give the cause within two seconds, with its line, old and new, and what follows', async (context) => {
  const page = await open(context);
  if (!page) return;
  // Whichever comes first: the later build is the one that is explained.
  await drop(page, 'body', record('multi-css'), record('base-multi'));
  const cause = page.locator('.causes .finding').first();
  const start = Date.now();
  await cause.waitFor();
  assert.ok(Date.now() - start < 2_000, `${Date.now() - start} ms`);
  assert.match(await page.locator('.verdict h3').innerText(), /^\d+ of \d+ steps ran again: \d+ causes?$/);
  assert.match(await cause.locator('.place').first().innerText(), /^Dockerfile:\d+ /);
  assert.match(await page.locator('#have-name').innerText(), /^base-multi/);
  assert.match(await page.locator('#want-name').innerText(), /^multi-css/);
  // The Dockerfile, the graph and the table say the same of each step.
  const words = async (/** @type {string} */ where) => (await page.locator(where).allTextContents()).map((word) => word.trim());
  await page.getByText(/^All \d+ steps/).click();
  const rows = await words('.steps td .badge');
  assert.deepEqual(await words('.box .word'), rows);
  assert.ok(rows.includes('cause') && rows.includes('follows'), String(rows));
  const lines = await page.locator('.line.follows .badge').count();
  assert.ok(lines > 0);
  assert.equal(await page.locator('.line.cause').count() > 0, true);
});

test('a changed variable stands side by side, and secrets are not shown', async (context) => {
  const page = await open(context);
  if (!page) return;
  await page.getByRole('button', { name: 'A changed variable' }).click();
  const cause = page.locator('.causes .finding').first();
  await cause.waitFor();
  assert.deepEqual(await cause.locator('th').allInnerTexts(), ['What', 'Before', 'Now']);
  assert.deepEqual(await cause.locator('tbody tr').first().locator('td').allInnerTexts(), ['variable APP_VERSION', '1.0', 'v1.0']);
  await drop(page, 'body', record('base-odd'), record('odd-arg'));
  const secret = page.locator('.causes tr', { hasText: 'variable TOKEN' }).first();
  await secret.waitFor();
  assert.deepEqual(await secret.locator('td').allInnerTexts(), ['variable TOKEN', '***', '***']);
});

test('one build alone, a log, and two files that are a build and its log', async (context) => {
  const page = await open(context);
  if (!page) return;
  await page.locator('#want-file').setInputFiles(record('args-env'));
  await page.getByText(/^\d+ of \d+ steps ran$/).waitFor();
  assert.match(await page.locator('.verdict p').innerText(), /Give an earlier build/);
  const { base } = vector('args-env');
  const { provenance, status } = vector('args-env').scenario;
  await drop(page, 'body', text('provenance.json', provenance[0]), text('log.rawjson', status));
  await page.waitForFunction(() => document.getElementById('want-kind')?.textContent === 'a build' && document.getElementById('have-kind')?.textContent === 'a build');
  await answered(page);
  assert.match(await page.locator('.verdict h3').innerText(), /^\d+ of \d+ steps ran$/);
  assert.ok((await page.locator('.line.ran').count()) > 0);
  // Provenance alone says what was built, and not what became of it.
  await drop(page, 'body', text('before.json', base.provenance[0]), text('after.json', provenance[0]));
  await answered(page);
  assert.equal(await page.locator('#want-kind').innerText(), 'a build');
});

test('nothing leaves the page, whatever runs in it', async (context) => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const program = needs(context, 'chromium', 'chromium-browser', 'google-chrome');
  if (!program) return;
  const browser = await chromium.launch({ executablePath: await whereIs(program), args: ['--no-sandbox'] });
  context.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(PAGE.href);
  const tried = await page.evaluate(async (address) => {
    const ways = {
      fetch: () => fetch(address),
      beacon: () => (navigator.sendBeacon(address) ? undefined : Promise.reject(new Error('refused'))),
      image: () => new Promise((resolve, reject) => Object.assign(new Image(), { onload: resolve, onerror: reject, src: address })),
      socket: () => new Promise((resolve, reject) => Object.assign(new WebSocket(address.replace('http', 'ws')), { onopen: resolve, onerror: reject })),
      script: () => new Promise((resolve, reject) => document.head.append(Object.assign(document.createElement('script'), { onload: resolve, onerror: reject, src: address }))),
      inline: () => new Promise((resolve, reject) => {
        document.head.append(Object.assign(document.createElement('script'), { textContent: 'globalThis.ran = true' }));
        if (/** @type {any} */ (globalThis).ran) resolve(undefined);
        else reject(new Error('did not run'));
      }),
    };
    const done = /** @type {string[]} */ ([]);
    for (const [name, way] of Object.entries(ways)) await Promise.resolve().then(way).then(() => done.push(name), () => {});
    return done;
  }, `http://127.0.0.1:${port}/`);
  // A beacon is queued before the policy stops it.
  assert.deepEqual(tried.filter((name) => name !== 'beacon'), []);
  assert.equal(asked, 0);
});

test('the graph is zoomed, searched, and carries a thousand steps', async (context) => {
  const page = await open(context);
  if (!page) return;
  await page.getByRole('button', { name: 'Two builds', exact: true }).click();
  await page.locator('.frame svg').waitFor();
  const width = async () => Number(await page.locator('.frame svg').getAttribute('width'));
  const before = await width();
  await page.getByRole('button', { name: 'Larger' }).click();
  assert.ok((await width()) > before);
  await page.getByRole('button', { name: 'Fit' }).click();
  const { frame, whole } = await page.evaluate(() => ({ frame: document.querySelector('.frame')?.clientWidth ?? 0, whole: document.querySelector('.frame svg')?.getBoundingClientRect().width ?? 0 }));
  assert.ok(whole <= frame, `${whole} of ${frame}`);
  await page.locator('#graph-search').fill('cause');
  await page.getByText(/^1 of \d+: Dockerfile:\d+ cause$/).waitFor();
  assert.equal(await page.locator('.box.current').count(), 1);
  await page.keyboard.press('Enter');
  await page.locator('#graph-search').fill('no such step');
  await page.getByText('nothing is found').waitFor();
  // As many as a large bake has, in rows and columns.
  const steps = Array.from({ length: 1_000 }, (_, at) => ({ name: `[stage ${at}] RUN ${at}`, label: `Dockerfile:${at}`, word: 'cached', lines: [], inputs: at < 20 ? [] : [at - 20, ...(at % 7 === 0 ? [at - 13] : [])], role: /** @type {const} */ ('cached'), took: '', platform: '', code: '' }));
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    place(steps);
    return performance.now() - start;
  });
  assert.ok(Math.min(...times) < 200, `${times} ms`);
  const { corners } = place(steps);
  assert.equal(new Set(corners.map(({ x, y }) => `${x} ${y}`)).size, 1_000);
  for (const [at, { inputs }] of steps.entries()) for (const from of inputs) assert.ok((corners[from]?.y ?? 0) < (corners[at]?.y ?? 0));
});

test('a link opens the same, and holds what it opens', async (context) => {
  const page = await open(context);
  if (!page) return;
  await page.getByRole('button', { name: 'Two builds', exact: true }).click();
  await page.locator('.causes').waitFor();
  assert.match(page.url(), /#example=two-builds$/);
  const told = await page.locator('#told').innerText();
  await drop(page, 'body', record('base-big'), record('big-s10'));
  await page.waitForFunction(() => !location.hash.includes('example'));
  await answered(page);
  await page.getByRole('button', { name: 'Make a link to this' }).click();
  await page.getByText('It holds the files themselves').waitFor();
  const address = page.url();
  assert.match(address, /#files=[\w-]+$/);
  const other = await page.context().newPage();
  await other.goto(address);
  await other.locator('.causes').waitFor();
  assert.equal(await other.locator('#told').innerText(), told);
  await other.goto(`${address.slice(0, address.indexOf('#'))}#example=two-builds`);
  await other.getByText('Everything').or(other.locator('.causes')).first().waitFor();
  const broken = await page.context().newPage();
  await broken.goto(address.slice(0, -40));
  await broken.getByText('That link cannot be read').waitFor();
});

test('caches in a file, and what a build would find in them', async (context) => {
  const page = await open(context);
  if (!page) return;
  await page.locator('#want-file').setInputFiles(fileURLToPath(new URL('cache-r-scratch.oci.tar', BUILDS)));
  await page.getByText('This cache can be used').waitFor();
  await page.getByRole('button', { name: 'A build and a cache' }).click();
  await page.getByText('3 hit, 3 miss, 0 not decided').waitFor();
  assert.deepEqual([await page.locator('.box.hit').count(), await page.locator('.box.miss').count()], [3, 3]);
  assert.ok((await page.locator('.line.miss').count()) > 0);
  assert.equal(await page.locator('#have-kind').innerText(), 'a BuildKit cache');
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  for (const width of [360, 1280]) {
    test(`nothing is in the way of anybody: ${colorScheme}, ${width} pixels`, async (context) => {
      const page = await open(context, PAGE.href, { colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
      if (!page) return;
      await page.evaluate(readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8'));
      const check = async (/** @type {string} */ what) => {
        const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
        assert.deepEqual(violations.map((/** @type {any} */ one) => [one.id, one.nodes.map((/** @type {any} */ node) => node.html.slice(0, 200))]), [], what);
        const { scrolled, room } = await page.evaluate(() => ({ scrolled: document.documentElement.scrollWidth, room: innerWidth }));
        assert.ok(scrolled <= room, `${what} is ${scrolled} pixels wide`);
        await page.screenshot({ path: join(SHOTS, `${what}-${colorScheme}-${width}.png`.replaceAll(' ', '-')), fullPage: true });
      };
      await check('start');
      for (const name of await page.locator('#examples button').allInnerTexts()) {
        await page.getByRole('button', { name, exact: true }).click();
        await answered(page);
        for (const details of await page.locator('details').all()) await details.evaluate((element) => element.setAttribute('open', ''));
        await check(name);
      }
    });
  }
}

test('everything can be done with the keyboard, and has a name', async (context) => {
  const page = await open(context);
  if (!page) return;
  /** @type {string[]} */
  const order = [];
  for (let step = 0; step < 17; step++) {
    await page.keyboard.press('Tab');
    order.push(await page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || ''));
    const outlined = await page.evaluate(() => {
      const active = /** @type {Element} */ (document.activeElement);
      const shown = active instanceof HTMLInputElement ? /** @type {Element} */ (active.parentElement?.querySelector('.button')) : active;
      return getComputedStyle(shown).outlineStyle;
    });
    assert.notEqual(outlined, 'none', order.at(-1));
  }
  assert.deepEqual(order.slice(0, 3), ['Skip to the answer', 'files', 'Two builds']);
  assert.deepEqual(order.slice(10), ['have-text', 'have-file', 'have-clear', 'want-text', 'want-file', 'want-clear', 'swap']);
  for (const control of await page.locator('button, textarea, input').all()) {
    const name = await control.evaluate((element) => element.getAttribute('aria-label') || element.textContent || /** @type {any} */ (element).labels?.[0]?.textContent);
    assert.ok(name?.trim());
  }
  // An example, and the way to the graph, without a pointer.
  await page.getByRole('button', { name: 'Two builds', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.causes').waitFor();
  await page.locator('#graph-search').focus();
  await page.keyboard.insertText('follows');
  await page.locator('.box.current').waitFor();
  for (const id of ['have-clear', 'want-clear']) {
    await page.locator(`#${id}`).focus();
    await page.keyboard.press('Enter');
  }
  await page.locator('#have-text').focus();
  await page.keyboard.insertText('RUN make');
  await page.locator('#want-text').focus();
  await page.keyboard.insertText('RUN make');
  await page.getByText('Hit: the same step').waitFor();
  assert.equal(await page.locator('#have-kind').innerText(), 'a step');
});

test('files are read, what is wrong is said, and data is never markup', async (context) => {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(readFileSync(PAGE))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const page = await open(context, `http://127.0.0.1:${port}/`);
  if (!page) return;
  const hostile = '<img src=x onerror="document.title=1">';
  const file = (/** @type {string} */ text) => ({ name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(text) });
  const config = (/** @type {string} */ value) => image([sha256('a')], { config: { Env: [`A=${value}`] } });
  await page.locator('#have-file').setInputFiles(file(config(hostile)));
  await page.getByText('Give both sides').waitFor();
  await page.locator('#want-file').setInputFiles(file(config('2')));
  await page.getByText('Miss: 1 reason').waitFor();
  assert.equal(await page.locator('img').count(), 0);
  assert.ok((await page.locator('.value.have').first().innerText()).includes(hostile));
  await page.getByRole('button', { name: 'Swap sides' }).click();
  await page.locator('.value.have').getByText('A=2').waitFor();
  const drop = await page.evaluateHandle((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], 'config.json'));
    return data;
  }, config('2'));
  await page.dispatchEvent('#want', 'drop', { dataTransfer: drop });
  await page.getByText('Hit: nothing differs').waitFor();
  await page.locator('#want-text').fill('{"mediaType":"x","config":{},"layers":[]}');
  await page.getByText('That cannot be read').waitFor();
  assert.match(await page.locator('.verdict p').innerText(), /a manifest: give the config/);
  await page.locator('#want-text').fill('{"records":[]}');
  await page.getByText('These two cannot be compared').waitFor();
});

test('documents are told apart', () => {
  const kind = (/** @type {unknown} */ value) => documentOf(typeof value === 'string' ? value : JSON.stringify(value))?.kind;
  assert.equal(kind('  '), undefined);
  assert.deepEqual([{ rootfs: {} }, [{ Id: 'x', RootFS: { Layers: [] } }], { history: [] }].map(kind), ['image', 'image', 'image']);
  assert.deepEqual(['{"CreatedBy":"a"}\n{"CreatedBy":"b"}', [{ created_by: 'a' }], [{ CreatedBy: 'a' }]].map(kind), ['history', 'history', 'history']);
  assert.deepEqual([{ Cmd: [] }, 'run make'].map(kind), ['step', 'step']);
  assert.deepEqual([{ records: [] }, { layers: [] }].map(kind), ['buildkit', 'buildkit']);
  assert.deepEqual([{ buildType: 'x' }, { predicate: {} }, { app: { 'buildx.build.provenance': {} } }, '{"vertexes":[]}\n{"logs":[]}'].map(kind), ['build', 'build', 'build', 'build']);
  for (const value of ['x', '1', 'null', '[1]', '{}', '{"manifests":[]}', '{"layers":[],"config":{}}']) assert.throws(() => documentOf(value), TypeError, value);
  const history = documentOf('{"CreatedBy":"new","Size":"0B"}\n{"CreatedBy":"old","Size":"1MB"}');
  assert.deepEqual(history, { kind: 'history', history: [{ created_by: 'old' }, { created_by: 'new', empty_layer: true }] });
});
