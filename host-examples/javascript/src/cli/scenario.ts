// `scenario`: calls over real stores on disk. What they answer, and what is on
// disk afterwards, is one canonical JSON document, the same from every host.
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Engine } from '../engine.js';
import type { Lent } from '../lent.js';
import { opened } from '../node/below.js';
import { byBytes } from '../node/bytes.js';
import { Directories } from '../node/directory.js';
import { LayoutImages } from '../node/images.js';
import type { Directory } from '../node/places.js';
import { Repositories } from '../node/repositories.js';
import { functionOf, same } from '../transcript.js';
import { Handles } from '../values.js';
import { escape } from '../text.js';
import { change, type Files, listed, Room } from './tree.js';

/** What JSON leaves as it is and a terminal acts upon. */
const ACTED_UPON = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

interface Scenario {
  schema: string;
  title: string;
  files?: Files;
  lend?: { images?: string; registry?: boolean; files?: { name: string; directory: string; writable?: boolean }[] };
  calls: ({ call: string; args: unknown[] } | { drop: number } | { change: Files })[];
  results?: unknown[];
  after?: Record<string, unknown>;
}

/** Runs scenarios; prints each one's document, or with `check` what differs from the file. */
export async function scenario(engine: Engine, files: readonly string[], check: boolean): Promise<number> {
  let differing = 0;
  for (const file of files) {
    const wanted = JSON.parse(fs.readFileSync(file, 'utf8')) as Scenario;
    if (wanted.schema !== 'layerwise/scenario/1') throw new TypeError(`${file} is not a scenario: its schema is ${JSON.stringify(wanted.schema)}`);
    const found = run(engine, wanted);
    if (!check) {
      console.log(canonical(found).replace(ACTED_UPON, (char) => `\\u${(char.codePointAt(0) as number).toString(16).padStart(4, '0')}`));
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
    return opened(root, undefined, false, (directory) => {
      const room = new Room();
      change(directory, scenario.files ?? {}, room);
      return { results: calls(engine, scenario, directory, root, room), after: listed(directory) };
    });
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

function calls(engine: Engine, { lend = {}, calls }: Scenario, directory: Directory, root: string, room: Room): unknown[] {
  // What is lent is below the directory, and no link on the way there is followed.
  const below = (path: string) => opened(resolve(root, path), root, false, () => resolve(root, path));
  const files = lend.files && new Directories(lend.files.map((lent) => ({ ...lent, directory: below(lent.directory) })));
  const registry = lend.registry ? new Repositories({ layouts: root }) : undefined;
  // Whatever key this user has, the answers are the same.
  const images = lend.images === undefined ? undefined : new LayoutImages(resolve(root, lend.images.replace(/^oci:/, '')), { within: root, noMarks: true });
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
        change(directory, call.change, room);
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

/** JSON with sorted members and without spaces. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).sort(([a], [b]) => byBytes(a, b));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
