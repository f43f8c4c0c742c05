// Directories that the component with its stores inside may read: the part of
// `wasi:filesystem` that it calls. Nothing here can write, and nothing leads out:
// every name of a path is opened in the directory before it without following
// links (on Linux through /proc/self/fd, which is `openat`), links are read and
// their parts put in front, and `..` goes back to the directory that is still open.
// So what others rename or link meanwhile can make a path fail, but not lead out.
import * as fs from 'node:fs';

const { O_DIRECTORY, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
const MOST_LINKS = 40;
const MOST_BYTES = 65_536;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('dispose');

/** Errors by the names that WASI has for them; others are `io`. */
const CODES: Readonly<Record<string, string>> = {
  EACCES: 'access',
  EISDIR: 'is-directory',
  ELOOP: 'loop',
  EMFILE: 'insufficient-memory',
  ENAMETOOLONG: 'name-too-long',
  ENOENT: 'no-entry',
  ENOTDIR: 'not-directory',
  EPERM: 'not-permitted',
};

/** Something open, of all that an instance has; closed when the last that uses it is, or with the instance. */
export class Opened {
  #users = 1;

  constructor(
    readonly fd: number,
    readonly all: Set<Opened>,
  ) {
    all.add(this);
    forgotten.register(this, fd, this);
  }

  use(): this {
    this.#users++;
    return this;
  }

  close(): void {
    if (--this.#users === 0) this.end();
  }

  end(): void {
    if (!this.all.delete(this)) return;
    forgotten.unregister(this);
    fs.closeSync(this.fd);
  }
}

/** Of instances that nobody closed. */
const forgotten = new FinalizationRegistry<number>((fd) => fs.closeSync(fd));

/** A directory or file. Whatever goes wrong is thrown as the name that WASI has for it. */
export class Descriptor {
  /** `path` is for systems without /proc, which open a name by it. */
  private constructor(
    readonly opened: Opened,
    readonly path: string,
  ) {}

  /** A directory to lend, by a path of the user: links in it are followed. */
  static lent(path: string, all: Set<Opened>): Descriptor {
    return new Descriptor(new Opened(fs.openSync(path, O_RDONLY | O_DIRECTORY), all), path);
  }

  /** The same, to be closed by itself. */
  again(): Descriptor {
    return new Descriptor(this.opened.use(), this.path);
  }

  getFlags(): { read: boolean } {
    return { read: true };
  }

  stat() {
    return told(this.#stat());
  }

  statAt({ symlinkFollow = false }: { symlinkFollow?: boolean }, path: string) {
    return told(this.#at(path, symlinkFollow, look));
  }

  metadataHash(): { lower: bigint; upper: bigint } {
    return hashed(this.#stat());
  }

  metadataHashAt({ symlinkFollow = false }: { symlinkFollow?: boolean }, path: string): { lower: bigint; upper: bigint } {
    return hashed(this.#at(path, symlinkFollow, look));
  }

  openAt({ symlinkFollow = false }, path: string, open: { create?: boolean; directory?: boolean; truncate?: boolean }, flags: { write?: boolean; mutateDirectory?: boolean }): Descriptor {
    if (open.create || open.truncate || flags.write || flags.mutateDirectory) return refused();
    return this.#at(path, symlinkFollow, (child, full) => {
      const stat = look(child);
      // A pipe or a device is not opened: that alone may wait, or do something.
      if (!stat.isFile() && !stat.isDirectory()) throw stat.isSymbolicLink() ? 'loop' : 'unsupported';
      if (open.directory && !stat.isDirectory()) throw 'not-directory';
      const fd = fs.openSync(child, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | (stat.isDirectory() ? O_DIRECTORY : 0));
      const opened = new Opened(fd, this.opened.all);
      const { ino, dev } = fs.fstatSync(fd, { bigint: true });
      if (ino === stat.ino && dev === stat.dev) return new Descriptor(opened, full);
      opened.close();
      throw 'busy';
    });
  }

  readlinkAt(path: string): string {
    return this.#at(path, false, (child) => text(fs.readlinkSync(child, { encoding: 'buffer' })));
  }

  readDirectory(): DirectoryEntryStream {
    return attempt(() => {
      const entries = fs.readdirSync(inside(this, '.'), { encoding: 'buffer', withFileTypes: true });
      return new DirectoryEntryStream(entries.map((entry) => () => ({ type: kind(entry), name: text(entry.name as unknown as Buffer) })));
    });
  }

  readViaStream(offset: bigint): FileStream {
    return new FileStream(this.opened.use(), offset);
  }

  [dispose](): void {
    this.opened.close();
  }

  #stat(): fs.BigIntStats {
    return attempt(() => fs.fstatSync(this.opened.fd, { bigint: true }));
  }

  /** Goes a path name by name and works where it leads; what was opened on the way is closed. */
  #at<T>(path: string, follow: boolean, work: (child: string, full: string) => T): T {
    const rest = parts(path);
    if (path.startsWith('/') || path === '') throw path === '' ? 'no-entry' : 'not-permitted';
    if (path.includes('\0')) throw 'invalid';
    const only = /(^|\/)\.{0,2}$/.test(path);
    const way: Descriptor[] = [this];
    let links = 0;
    try {
      return attempt(() => {
        for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
          const here = way.at(-1) as Descriptor;
          const last = rest.length === 0;
          if (name === '..') {
            if (way.length === 1) throw 'not-permitted';
            way.pop()?.[dispose]();
            continue;
          }
          const target = !last || follow || only ? linked(inside(here, name)) : undefined;
          if (target !== undefined) {
            if (++links > MOST_LINKS) throw 'loop';
            if (target.startsWith('/')) throw 'not-permitted';
            rest.unshift(...parts(target));
            continue;
          }
          const full = `${here.path}/${name}`;
          if (last && !only) return work(inside(here, name), full);
          way.push(new Descriptor(new Opened(fs.openSync(inside(here, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), this.opened.all), full));
        }
        const here = way.at(-1) as Descriptor;
        return work(inside(here, '.'), here.path);
      });
    } finally {
      for (const one of way.slice(1)) one[dispose]();
    }
  }
}

/** What changes something is refused, as in a directory that is lent for reading only. */
for (const name of ['writeViaStream', 'appendViaStream', 'sync', 'createDirectoryAt', 'removeDirectoryAt', 'renameAt', 'unlinkFileAt']) {
  Object.defineProperty(Descriptor.prototype, name, { value: refused });
}

function refused(): never {
  throw 'not-permitted';
}

/** The names in a directory, as they were when it was opened. */
export class DirectoryEntryStream {
  constructor(readonly entries: (() => { type: string; name: string })[]) {}

  readDirectoryEntry(): { type: string; name: string } | undefined {
    return this.entries.shift()?.();
  }
}

/** The bytes of a file from an offset on; without a file there are none. */
export class FileStream {
  constructor(
    readonly opened: Opened | undefined,
    private offset = 0n,
  ) {}

  blockingRead(most: bigint): Uint8Array {
    const bytes = new Uint8Array(Number(most < MOST_BYTES ? most : MOST_BYTES));
    const count = this.opened ? attempt(() => fs.readSync((this.opened as Opened).fd, bytes, 0, bytes.length, this.offset)) : 0;
    if (count === 0 && bytes.length > 0) throw { tag: 'closed' };
    this.offset += BigInt(count);
    return bytes.subarray(0, count);
  }

  [dispose](): void {
    this.opened?.close();
  }
}

/** The path of a name in an open directory. */
function inside({ opened, path }: Descriptor, name: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${opened.fd}/${name}` : `${path}/${name}`;
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function look(child: string): fs.BigIntStats {
  return fs.lstatSync(child, { bigint: true });
}

/** What a link holds; nothing where there is none. */
function linked(child: string): string | undefined {
  return look(child).isSymbolicLink() ? text(fs.readlinkSync(child, { encoding: 'buffer' })) : undefined;
}

function told(stat: fs.BigIntStats) {
  const time = (nanoseconds: bigint) => ({ seconds: nanoseconds / 1_000_000_000n, nanoseconds: Number(nanoseconds % 1_000_000_000n) });
  return {
    type: kind(stat),
    linkCount: stat.nlink,
    size: stat.size,
    dataAccessTimestamp: time(stat.atimeNs),
    dataModificationTimestamp: time(stat.mtimeNs),
    statusChangeTimestamp: time(stat.ctimeNs),
  };
}

function hashed({ ino, dev }: fs.BigIntStats): { lower: bigint; upper: bigint } {
  return { lower: ino, upper: dev };
}

function kind(of: Pick<fs.Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): string {
  if (of.isFile()) return 'regular-file';
  if (of.isDirectory()) return 'directory';
  return of.isSymbolicLink() ? 'symbolic-link' : 'unknown';
}

function text(name: Buffer): string {
  try {
    return UTF8.decode(name);
  } catch {
    throw 'illegal-byte-sequence';
  }
}

/** Makes what goes wrong a name of WASI. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (typeof thrown === 'string') throw thrown;
    throw CODES[String((thrown as { code?: unknown }).code)] ?? 'io';
  }
}
