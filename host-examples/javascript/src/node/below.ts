// Directories of stores, opened so that no link in them is ever followed.
//
// A layout comes from anywhere, with any links, pipes and devices in it. So every
// path below its directory is gone name by name, each opened in the one before,
// and only regular files are read. The path of the directory itself is the user's:
// links in it are followed. Node has no `openat`. On Linux a name is opened through
// /proc/self/fd, which is the same; elsewhere it is opened by its path, compared
// with what was looked at before, and a directory above it that is exchanged for a
// link in between is followed.
import * as fs from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { Failure, failureOf } from '../errors.js';
import { quoted } from './bytes.js';
import { codeOf, Directory } from './places.js';

/** Opens the directory of a store; below `within` no link is followed on the way either. */
export function opened<T>(path: string, within: string | undefined, make: boolean, work: (directory: Directory) => T): T {
  const top = within ?? path;
  const names = within === undefined ? [] : relative(within, resolve(within, path)).split(sep).filter((name) => name !== '');
  if (names.includes('..')) throw new Failure('denied', `${quoted(path)} is not below ${quoted(top)}`);
  const directory = attempt(`open ${quoted(top)}`, () => {
    if (make) fs.mkdirSync(top, { recursive: true });
    return Directory.open(top);
  });
  try {
    return entered(directory, names, make, work);
  } finally {
    directory.close();
  }
}

/** Opens a directory below another, name by name: `corrupt` for a link, `denied` where directories are made. */
export function entered<T>(directory: Directory, names: readonly string[], make: boolean, work: (directory: Directory) => T): T {
  const [name, ...rest] = names;
  if (name === undefined) return work(directory);
  const inner = enter(directory, name, make);
  try {
    return entered(inner, rest, make, work);
  } finally {
    inner.close();
  }
}

function enter(directory: Directory, name: string, make: boolean): Directory {
  const bytes = Buffer.from(name);
  return attempt(`open ${quoted(pathOf(directory, name))}`, () => {
    try {
      if (make) fs.mkdirSync(directory.child(bytes));
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST') throw thrown;
    }
    try {
      return directory.enter(bytes);
    } catch (thrown) {
      if (look(directory, name)?.isSymbolicLink()) throw link(directory, name, make ? 'denied' : 'corrupt');
      throw thrown;
    }
  });
}

/** What is at a name, if anything; a link is looked at itself. */
export function look(directory: Directory, name: string): fs.BigIntStats | undefined {
  return fs.lstatSync(directory.child(Buffer.from(name)), { bigint: true, throwIfNoEntry: false });
}

/** The size of a regular file. Nothing is told of what a link leads to. */
export function sizeOf(directory: Directory, name: string): number {
  return attempt(`read ${quoted(pathOf(directory, name))}`, () => {
    const found = fs.lstatSync(directory.child(Buffer.from(name)), { bigint: true });
    if (found.isSymbolicLink()) throw link(directory, name);
    if (!found.isFile()) throw new Failure('corrupt', `${quoted(pathOf(directory, name))} is not a regular file`);
    return Number(found.size);
  });
}

/** The bytes of a regular file, of at most so many. */
export function read(directory: Directory, name: string, limit: number): Buffer {
  const path = quoted(pathOf(directory, name));
  const size = sizeOf(directory, name);
  const tooLarge = (size: number) => new Failure('too-large', `${path} has ${size} bytes, more than the limit of ${limit}`);
  if (size > limit) throw tooLarge(size);
  return attempt(`read ${path}`, () => {
    const { fd, stat } = directory.openFile(Buffer.from(name));
    try {
      if (stat.size > limit) throw tooLarge(Number(stat.size));
      const bytes = fs.readFileSync(fd);
      if (bytes.length > limit) throw tooLarge(bytes.length);
      return bytes;
    } finally {
      fs.closeSync(fd);
    }
  });
}

/** Makes a new file; nothing may be at its name. */
export function create(directory: Directory, name: string, bytes: Uint8Array, mode = 0o666): void {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;
  attempt(`write ${quoted(pathOf(directory, name))}`, () => {
    const fd = fs.openSync(directory.child(Buffer.from(name)), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
    try {
      fs.writeFileSync(fd, bytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  });
}

/** Takes the name of a file or link away, if it is there. */
export function remove(directory: Directory, name: string): void {
  attempt(`remove ${quoted(pathOf(directory, name))}`, () => {
    try {
      fs.unlinkSync(directory.child(Buffer.from(name)));
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOENT') throw thrown;
    }
  });
}

/** Where a name is, for messages. */
export function pathOf(directory: Directory, name: string): string {
  return join(directory.path.toString(), name);
}

function link(directory: Directory, name: string, code: Failure['code'] = 'corrupt'): Failure {
  return new Failure(code, `cannot open ${quoted(pathOf(directory, name))}: it is a link, which is not followed`);
}

/** Makes a failure of what goes wrong. */
export function attempt<T>(action: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOTDIR') throw new Failure('not-found', `cannot ${action}: a part of it is not a directory`);
    throw failureOf(thrown, action);
  }
}
