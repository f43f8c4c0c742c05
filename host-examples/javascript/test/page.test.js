// The page in headless Chromium: offline, from a file and from a server, with
// the keyboard, with files, and with hostile data.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { documentOf } from '../web/documents.js';
import { needs } from './live.js';
import { image, sha256 } from './support.js';

const PAGE = new URL('../web/dist/index.html', import.meta.url);

/** @param {import('node:test').TestContext} context */
async function open(context, address = PAGE.href) {
  const program = needs(context, 'chromium', 'chromium-browser', 'google-chrome');
  if (!program) return undefined;
  const browser = await chromium.launch({ executablePath: await whereIs(program), args: ['--no-sandbox'] });
  context.after(() => browser.close());
  const page = await (await browser.newContext({ offline: address.startsWith('file:') })).newPage();
  /** @type {string[]} */
  const problems = [];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => !/^(file|data|blob):/.test(request.url()) && request.url() !== address && problems.push(request.url()));
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

test('everything can be done with the keyboard, and has a name', async (context) => {
  const page = await open(context);
  if (!page) return;
  /** @type {string[]} */
  const order = [];
  for (let step = 0; step < 12; step++) {
    await page.keyboard.press('Tab');
    order.push(await page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || ''));
    const outlined = await page.evaluate(() => {
      const active = /** @type {Element} */ (document.activeElement);
      const shown = active instanceof HTMLInputElement ? /** @type {Element} */ (active.parentElement?.querySelector('.button')) : active;
      return getComputedStyle(shown).outlineStyle;
    });
    assert.notEqual(outlined, 'none', order.at(-1));
  }
  assert.deepEqual(order.slice(0, 2), ['Skip to the answer', 'Two images']);
  assert.deepEqual(order.slice(5), ['have-text', 'have-file', 'have-clear', 'want-text', 'want-file', 'want-clear', 'swap']);
  for (const control of await page.locator('button, textarea, input').all()) {
    const name = await control.evaluate((element) => element.getAttribute('aria-label') || element.textContent || /** @type {any} */ (element).labels?.[0]?.textContent);
    assert.ok(name?.trim());
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
  for (const value of ['x', '1', 'null', '[1]', '{}', '{"manifests":[]}', '{"layers":[],"config":{}}']) assert.throws(() => documentOf(value), TypeError, value);
  const history = documentOf('{"CreatedBy":"new","Size":"0B"}\n{"CreatedBy":"old","Size":"1MB"}');
  assert.deepEqual(history, { kind: 'history', history: [{ created_by: 'old' }, { created_by: 'new', empty_layer: true }] });
});
