// The file system that a Node program lends: opened directories, confined.
//
// Node cannot read extended attributes; entries have none. Linux and macOS.
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { Failure, failureOf } from '../errors.js';
import type { Each, Filesystem, Filesystems } from '../lent.js';
import { decode, encode, lossy, quoted, sha256 } from './bytes.js';
import { changed, codeOf, Directory, errno, type Place, type Root, Roots, type Wanted } from './places.js';
import { isOurs, locked, replace } from './write.js';

const LOOK = { follow: true, intent: 'look' } as const;
const ITSELF = { follow: false, intent: 'look' } as const;
const CHANGE = { follow: false, intent: 'change' } as const;
const CHUNK = 1 << 20;

/** How much a walk answers. */
export interface WalkLimits {
  /** The directories that it goes down; 256 unless told otherwise. */
  walkDepth?: number;
  /** Its entries; 10,000,000 unless told otherwise. */
  walkEntries?: number;
  /** The bytes of the paths of all of them; 512 MiB unless told otherwise. */
  walkPathBytes?: number;
}

/** Files below opened directories. A path belongs to the root with the longest name that it begins with. */
export class Directories implements Filesystem {
  readonly #roots: Roots;
  readonly #limits: Required<WalkLimits>;

  constructor(roots: readonly Root[], { walkDepth = 256, walkEntries = 10_000_000, walkPathBytes = 512 * 2 ** 20 }: WalkLimits = {}) {
    this.#roots = new Roots(roots);
    this.#limits = { walkDepth, walkEntries, walkPathBytes };
  }

  stat(paths: string[], follow: boolean, want: Filesystems.Facts): Each<Filesystems.Entry> {
    return paths.map((path) => this.#try('look at', path, follow ? LOOK : ITSELF, (place) => entry(path, place, want)));
  }

  listNames(directory: string): readonly string[] {
    return this.#at('list', directory, LOOK, (place) => inside(place, (open) => open.names().map(encode)));
  }

  read(paths: string[], limit: bigint): Each<Filesystems.Content> {
    return paths.map((path) =>
      this.#try('read', path, LOOK, (place) => {
        const bytes = this.#bytes(place, limit);
        return { ...lossy(bytes), digest: sha256(bytes) };
      }),
    );
  }

  walk(root: string, want: Filesystems.Facts, limit: bigint): readonly Filesystems.Entry[] {
    return this.#at('walk', root, ITSELF, (place) => {
      if (!statOf(place).isDirectory()) throw errno('ENOTDIR');
      const { walkEntries } = this.#limits;
      const walk: Walk = { want, limit: limit < walkEntries ? limit : BigInt(walkEntries), limits: this.#limits, entries: [], pathBytes: 0 };
      inside(place, (open) => {
        const stat = fs.fstatSync(open.fd, { bigint: true });
        add(walk, told('.', stat, want));
        below(open, Buffer.alloc(0), walk, 1);
      });
      return walk.entries;
    });
  }

  hash(files: Filesystems.Hashing[]): Each<string> {
    return files.map(({ prefix, path, suffix }) =>
      this.#try('hash', path, LOOK, (place) => content(place.directory, named(place), decode(prefix), suffix)),
    );
  }

  write(changes: Filesystems.Change[]): Each<void> {
    const answers: (void | Failure)[] = [];
    for (const change of changes) {
      const wanted = { follow: true, intent: change.parents ? 'make' : 'change' } as const;
      const answer = this.#try('write', change.path, wanted, (place) => replace(place, change));
      answers.push(answer);
      if (answer instanceof Failure) break;
    }
    return answers;
  }

  rename(old: string, target: string): void {
    this.#at('rename', old, CHANGE, (from) => {
      const name = whole(from);
      statOf(from);
      this.#at(`rename ${quoted(old)} to`, target, CHANGE, (to) => {
        const next = whole(to);
        if (isOurs(next)) throw new Failure('invalid', 'the name is one that writing uses itself');
        if (from.root !== to.root) throw new Failure('invalid', 'it is in another opened directory');
        locked(to.directory, () => toFree(from.directory.child(name), to.directory.child(next)));
        from.directory.sync();
        to.directory.sync();
      });
    });
  }

  remove(paths: string[]): Each<void> {
    return paths.map((path) =>
      this.#try('remove', path, CHANGE, (place) => {
        const name = whole(place);
        const gone = place.directory.child(name);
        locked(place.directory, () => (statOf(place).isDirectory() ? fs.rmdirSync(gone) : fs.unlinkSync(gone)));
      }),
    );
  }

  /** Closes the directories. */
  close(): void {
    this.#roots.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #bytes(place: Place, limit: bigint): Buffer {
    return opened(place.directory, named(place), (fd, stat) => {
      const tooLarge = (size: bigint) => new Failure('too-large', `it has ${size} bytes, more than the limit of ${limit}`);
      if (stat.size > limit) throw tooLarge(stat.size);
      const bytes = fs.readFileSync(fd);
      if (BigInt(bytes.length) > limit) throw tooLarge(BigInt(bytes.length));
      return bytes;
    });
  }

  #at<T>(action: string, path: string, wanted: Wanted, work: (place: Place) => T): T {
    try {
      return this.#roots.at(path, wanted, work);
    } catch (thrown) {
      throw failure(action, path, thrown);
    }
  }

  #try<T>(action: string, path: string, wanted: Wanted, work: (place: Place) => T): T | Failure {
    try {
      return this.#at(action, path, wanted, work);
    } catch (thrown) {
      return failureOf(thrown);
    }
  }
}

/** The failure to do something to a path. */
function failure(action: string, path: string, thrown: unknown): Failure {
  if (!(thrown instanceof Failure)) return failureOf(thrown, `${action} ${quoted(path)}`);
  if (thrown.message.startsWith('cannot ')) return thrown;
  return new Failure(thrown.code, `cannot ${action} ${quoted(path)}: ${thrown.message}`);
}

function named({ name, only }: Place): Buffer {
  if (!name || only) throw errno(name ? 'ENOTDIR' : 'EISDIR');
  return name;
}

/** The name of what is to be moved or removed; an opened directory has none. */
function whole({ name }: Place): Buffer {
  if (!name) throw new Failure('denied', 'it is an opened directory itself');
  return name;
}

function inside<T>({ directory, name }: Place, work: (open: Directory) => T): T {
  const open = directory.enter(name ?? Buffer.from('.'));
  try {
    return work(open);
  } finally {
    open.close();
  }
}

function statOf({ directory, name, only }: Place): fs.BigIntStats {
  const stat = name ? fs.lstatSync(directory.child(name), { bigint: true }) : fs.fstatSync(directory.fd, { bigint: true });
  if (only && !stat.isDirectory()) throw errno('ENOTDIR');
  return stat;
}

function opened<T>(directory: Directory, name: Buffer, work: (fd: number, stat: fs.BigIntStats) => T): T {
  const { fd, stat } = directory.openFile(name);
  try {
    return work(fd, stat);
  } finally {
    fs.closeSync(fd);
  }
}

function entry(path: string, place: Place, want: Filesystems.Facts): Filesystems.Entry {
  const found = told(path, statOf(place), want);
  return place.name ? withFacts(found, place.directory, place.name, want) : found;
}

function withFacts(found: Filesystems.Entry, directory: Directory, name: Buffer, want: Filesystems.Facts): Filesystems.Entry {
  if (found.kind === 'link' && want.target) found.target = encode(fs.readlinkSync(directory.child(name), { encoding: 'buffer' }));
  if (found.kind === 'file' && want.content) found.content = content(directory, name);
  return found;
}

/** What is known without opening anything. */
function told(path: string, stat: fs.BigIntStats, want: Filesystems.Facts): Filesystems.Entry {
  const several = want.identity && stat.nlink > 1n && !stat.isDirectory();
  const identity = several ? `${stat.dev}:${stat.ino}` : undefined;
  return { path, kind: kindOf(stat), mode: Number(stat.mode & 0o7777n), uid: Number(stat.uid), gid: Number(stat.gid), size: stat.size, attributes: [], identity };
}

function kindOf(stat: fs.BigIntStats): Filesystems.Kind {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'link';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isSocket()) return 'socket';
  if (stat.isCharacterDevice()) return 'character-device';
  return stat.isBlockDevice() ? 'block-device' : 'other';
}

/** SHA-256 of a file between a prefix and a suffix. A file that is written to meanwhile has none. */
function content(directory: Directory, name: Buffer, prefix: Buffer = Buffer.alloc(0), suffix = ''): string {
  return opened(directory, name, (fd, stat) => {
    const hash = createHash('sha256').update(prefix);
    const buffer = Buffer.allocUnsafe(CHUNK);
    let read = 0n;
    for (let count = fs.readSync(fd, buffer); count > 0; count = fs.readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, count));
      read += BigInt(count);
      if (read > stat.size) throw changed();
    }
    if (read !== stat.size || fs.fstatSync(fd, { bigint: true }).mtimeNs !== stat.mtimeNs) throw changed();
    return `sha256:${hash.update(suffix).digest('hex')}`;
  });
}

interface Walk {
  want: Filesystems.Facts;
  limit: bigint;
  limits: Required<WalkLimits>;
  entries: Filesystems.Entry[];
  pathBytes: number;
}

/** Adds everything in a directory: a directory before what is in it. */
function below(open: Directory, path: Buffer, walk: Walk, depth: number): void {
  for (const name of open.names()) {
    const full = path.length === 0 ? name : Buffer.concat([path, Buffer.from('/'), name]);
    const found = told(encode(full), fs.lstatSync(open.child(name), { bigint: true }), walk.want);
    walk.pathBytes += full.length;
    if (walk.pathBytes > walk.limits.walkPathBytes) throw over('its paths', 'walk-path-bytes', walk.limits.walkPathBytes);
    add(walk, withFacts(found, open, name, walk.want));
    if (found.kind !== 'directory') continue;
    if (depth > walk.limits.walkDepth) throw over('its depth', 'walk-depth', walk.limits.walkDepth);
    const inner = open.enter(name);
    try {
      below(inner, full, walk, depth + 1);
    } finally {
      inner.close();
    }
  }
}

function over(what: string, limit: string, most: number): Failure {
  return new Failure('too-large', `${what} is more than the limit ${limit} of ${most}`);
}

function add({ entries, limit }: Walk, found: Filesystems.Entry): void {
  if (BigInt(entries.length) >= limit) throw new Failure('too-large', `it has more than ${limit} entries`);
  entries.push(found);
}

/** Renames unless something has the new name: a second name, and then the first goes. */
function toFree(old: Buffer, next: Buffer): void {
  if (!fs.lstatSync(old).isDirectory()) {
    fs.linkSync(old, next);
    fs.unlinkSync(old);
    return;
  }
  // Directories have no second names. Writers of this package hold the lock;
  // for others the system itself refuses to replace what is not empty.
  try {
    fs.lstatSync(next);
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown;
    fs.renameSync(old, next);
    return;
  }
  throw errno('EEXIST');
}
