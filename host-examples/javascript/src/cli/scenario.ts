// `scenario`: calls over real stores on disk. What they answer, and what is on
// disk afterwards, is one canonical JSON document, the same from every host.
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import type { Engine } from '../engine.js';
import type { Lent } from '../lent.js';
import { byBytes, sha256 } from '../node/bytes.js';
import { Directories } from '../node/directory.js';
import { LayoutImages } from '../node/images.js';
import { Repositories } from '../node/repositories.js';
import { functionOf, same } from '../transcript.js';
import { Handles } from '../values.js';
import { escape } from './text.js';

interface Scenario {
  schema: string;
  title: string;
  files?: Files;
  lend?: { images?: string; registry?: boolean; files?: { name: string; directory: string; writable?: boolean }[] };
  calls: ({ call: string; args: unknown[] } | { drop: number } | { change: Files })[];
  results?: unknown[];
  after?: Record<string, unknown>;
}

/** Files by their paths; null takes one away. */
type Files = Record<string, string | FileObject | null>;
type FileObject = { text?: string; base64?: string; link?: string; directory?: true; mode?: string };

/** Runs scenarios; prints each one's document, or with `check` what differs from the file. */
export async function scenario(engine: Engine, files: readonly string[], check: boolean): Promise<number> {
  let differing = 0;
  for (const file of files) {
    const wanted = JSON.parse(fs.readFileSync(file, 'utf8')) as Scenario;
    if (wanted.schema !== 'layerwise/scenario/1') throw new TypeError(`${file} is not a scenario: its schema is ${JSON.stringify(wanted.schema)}`);
    const found = run(engine, wanted);
    if (!check) {
      console.log(canonical(found));
      continue;
    }
    const differences = [
      ...found.results.flatMap((result, at) => told(`results[${at}]`, wanted.results?.[at], result)),
      ...told('after', wanted.after, found.after),
    ];
    if (found.results.length !== wanted.results?.length) differences.push(`${wanted.results?.length} results expected, got ${found.results.length}`);
    if (differences.length > 0) differing++;
    for (const line of differences) console.log(escape(`${file}: ${line}`));
  }
  if (check) console.log(`${files.length - differing} passed, ${differing} failed`);
  return differing > 0 ? 1 : 0;
}

function told(what: string, expected: unknown, actual: unknown): string[] {
  return same(expected, actual) ? [] : [`${what}: expected ${canonical(expected)}, got ${canonical(actual)}`];
}

/** Runs one in a fresh directory, which is removed afterwards. */
function run(engine: Engine, scenario: Scenario): { results: unknown[]; after: Record<string, unknown> } {
  const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'layerwise-')));
  try {
    change(root, scenario.files ?? {});
    return { results: calls(engine, scenario, root), after: after(root) };
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

/** Makes, replaces or removes files, with modes that do not depend on the user's. */
function change(root: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    const place = join(root, path);
    if (relative(root, place).startsWith('..')) throw new TypeError(`${path} leads out of the scenario's directory`);
    makeDirectory(root, dirname(path), 0o755);
    if (content === null) {
      fs.unlinkSync(place);
      continue;
    }
    const { text = '', base64, link, directory, mode }: FileObject = typeof content === 'string' ? { text: content } : content;
    const bits = (usual: number) => (mode === undefined ? usual : Number.parseInt(mode, 8));
    if (directory) makeDirectory(root, path, bits(0o755));
    else if (link !== undefined) fs.symlinkSync(link, place);
    else {
      fs.writeFileSync(place, base64 === undefined ? text : Buffer.from(base64, 'base64'));
      fs.chmodSync(place, bits(0o644));
    }
  }
}

function makeDirectory(root: string, path: string, mode: number): void {
  const place = join(root, path);
  if (place === root || fs.existsSync(place)) return;
  makeDirectory(root, dirname(path), 0o755);
  fs.mkdirSync(place);
  fs.chmodSync(place, mode);
}

function calls(engine: Engine, { lend = {}, calls }: Scenario, root: string): unknown[] {
  const files = lend.files && new Directories(lend.files.map((lent) => ({ ...lent, directory: join(root, lent.directory) })));
  const registry = lend.registry ? new Repositories({ layouts: root, ...(files && { files }) }) : undefined;
  const images = lend.images === undefined ? undefined : new LayoutImages(join(root, lend.images.replace(/^oci:/, '')));
  const lent: Lent = { ...(images && { images }), ...(registry && { registry }), ...(files && { files }) };
  const instance = engine.instance(lent);
  const handles = new Handles();
  try {
    return calls.map((call) => {
      if ('drop' in call) {
        instance.drop(handles.resource(call.drop));
        return null;
      }
      if ('change' in call) {
        change(root, call.change);
        return null;
      }
      const { func, place, name } = functionOf(engine, call.call);
      const args = func.params.map(([param, type], at) => engine.values.fromJson(type, call.args[at], handles, `${call.call} ${param}`));
      const answer = instance.call(place, name, args);
      return func.result === null ? null : engine.values.toJson(func.result, answer, handles);
    });
  } finally {
    instance.close();
    registry?.close();
    files?.close();
  }
}

/** Everything below a directory, without locks and temporary files of hosts. */
function after(root: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const look = (directory: string) => {
    for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.name.startsWith('.layerwise')) continue;
      const name = relative(root, path);
      if (entry.isSymbolicLink()) found[name] = { link: fs.readlinkSync(path) };
      else if (entry.isDirectory()) {
        found[name] = { directory: true };
        look(path);
      } else found[name] = entry.isFile() ? contentOf(path) : { special: true };
    }
  };
  look(root);
  return found;
}

/** The digest of a file; an index of a layout as JSON, because its bytes depend on who writes it. */
function contentOf(path: string): unknown {
  const bytes = fs.readFileSync(path);
  if (basename(path) === 'index.json') {
    try {
      return { json: JSON.parse(bytes.toString('utf8')) as unknown };
    } catch {
      // Then it is a file like others.
    }
  }
  return sha256(bytes);
}

/** JSON with sorted members and without spaces. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).sort(([a], [b]) => byBytes(a, b));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
