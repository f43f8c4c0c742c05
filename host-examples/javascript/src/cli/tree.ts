// The files of a scenario: made in a directory of its own, and listed afterwards.
//
// A scenario may be a stranger's: nothing is written, removed or read through a
// link, links that it makes itself included.
import * as fs from 'node:fs';
import { sha256 } from '../node/bytes.js';
import { create, entered, look, read, remove, sizeOf } from '../node/below.js';
import type { Directory } from '../node/places.js';

/** Files by their paths; null takes one away. */
export type Files = Record<string, string | FileObject | null>;
type FileObject = { text?: string; base64?: string; link?: string; directory?: true; mode?: string };
const LARGEST = 2 ** 30;
/** How many files and directories a scenario makes, and how many names a path has. */
const MOST = 10_000;
const DEEPEST = 64;

/** How many files and directories a scenario may still make. */
export class Room {
  #left = MOST;

  take(count: number): void {
    this.#left -= count;
    if (this.#left < 0) throw new TypeError(`the scenario makes more than ${MOST} files and directories`);
  }
}

/** Makes, replaces or removes files, with modes that do not depend on the user's. */
export function change(root: Directory, files: Files, room: Room): void {
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split('/');
    if (parts.some((part) => ['', '.', '..'].includes(part)) || path.includes('\0')) {
      throw new TypeError(`${JSON.stringify(path)} leads out of the scenario's directory`);
    }
    if (parts.length > DEEPEST) throw new TypeError(`${JSON.stringify(path.slice(0, 80))} has more than ${DEEPEST} names`);
    room.take(parts.length);
    put(root, path, parts, content);
  }
}

function put(directory: Directory, path: string, [name = '', ...rest]: string[], content: string | FileObject | null): void {
  if (rest.length > 0) {
    makeDirectory(directory, name, 0o755);
    return entered(directory, [name], false, (inner) => put(inner, path, rest, content));
  }
  if (content === null) return removeAll(directory, name);
  const { text = '', base64, link, directory: folder, mode }: FileObject = typeof content === 'string' ? { text: content } : content;
  if (mode !== undefined && !/^0?[0-7]{3}$/.test(mode)) throw new TypeError(`${JSON.stringify(path)} has a mode with other bits than those of permissions`);
  const bits = (usual: number) => (mode === undefined ? usual : Number.parseInt(mode, 8));
  if (folder) return makeDirectory(directory, name, bits(0o755));
  if (link !== undefined) return fs.symlinkSync(link, directory.child(Buffer.from(name)));
  if (look(directory, name)) {
    // Another content of a regular file; anything else is refused.
    sizeOf(directory, name);
    remove(directory, name);
  }
  create(directory, name, base64 === undefined ? Buffer.from(text) : Buffer.from(base64, 'base64'), 0o600);
  fs.chmodSync(directory.child(Buffer.from(name)), bits(0o644));
}

function makeDirectory(directory: Directory, name: string, mode: number): void {
  const there = look(directory, name);
  if (there?.isDirectory()) return;
  if (there) throw new TypeError(`${JSON.stringify(name)} is not a directory: nothing is made behind it`);
  const path = directory.child(Buffer.from(name));
  fs.mkdirSync(path, 0o700);
  fs.chmodSync(path, mode);
}

function removeAll(directory: Directory, name: string): void {
  const path = directory.child(Buffer.from(name));
  if (!fs.lstatSync(path).isDirectory()) return remove(directory, name);
  entered(directory, [name], false, (inner) => {
    for (const one of inner.names()) removeAll(inner, one.toString());
  });
  fs.rmdirSync(path);
}

/** Everything below a directory, without locks and temporary files of hosts. */
export function listed(root: Directory): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  list(root, '', found);
  return found;
}

function list(directory: Directory, prefix: string, found: Record<string, unknown>): void {
  for (const bytes of directory.names()) {
    const name = bytes.toString();
    if (name.startsWith('.layerwise')) continue;
    const path = prefix + name;
    const stat = fs.lstatSync(directory.child(bytes));
    if (stat.isSymbolicLink()) found[path] = { link: fs.readlinkSync(directory.child(bytes)) };
    else if (stat.isDirectory()) {
      found[path] = { directory: true };
      entered(directory, [name], false, (inner) => list(inner, `${path}/`, found));
    } else found[path] = stat.isFile() ? contentOf(directory, name) : { special: true };
  }
}

/** The digest of a file; an index of a layout as JSON, because its bytes depend on who writes it. */
function contentOf(directory: Directory, name: string): unknown {
  const bytes = read(directory, name, LARGEST);
  if (name === 'index.json') {
    try {
      return { json: JSON.parse(bytes.toString('utf8')) as unknown };
    } catch {
      // Then it is a file like others.
    }
  }
  return sha256(bytes);
}
