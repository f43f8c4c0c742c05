// Where a path leads: through links inside the opened directories, and never out
// of them. Each directory is opened by its name in the one before, without
// following links (on Linux through /proc/self/fd, which is `openat`); links are
// read and their parts put in front, and `..` in a link goes back to the
// directory that is still open. So what others rename or link meanwhile can make
// a path fail, but not lead out.
import * as fs from 'node:fs';
import { Failure } from '../errors.js';
import { decode } from './bytes.js';

const { O_DIRECTORY, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
const LONGEST = 4095;
const LINKS = 40;

/** A directory to be opened. */
export interface Root {
  /** What paths into it begin with, such as `/layers`; its own path unless told otherwise. */
  name?: string;
  directory: string;
  /** Whether things may be changed in it. */
  writable?: boolean;
}

/** An open directory. */
export class Directory {
  constructor(
    readonly fd: number,
    readonly path: Buffer,
  ) {}

  static open(path: string | Buffer): Directory {
    return new Directory(fs.openSync(path, O_RDONLY | O_DIRECTORY), Buffer.from(path));
  }

  /** A path of a name in it. */
  child(name: Buffer): Buffer {
    const base = process.platform === 'linux' ? Buffer.from(`/proc/self/fd/${this.fd}`) : this.path;
    return Buffer.concat([base, Buffer.from('/'), name]);
  }

  /** Opens a directory in it; a link is not followed. */
  enter(name: Buffer): Directory {
    const path = Buffer.concat([this.path, Buffer.from('/'), name]);
    return new Directory(fs.openSync(this.child(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path);
  }

  /** Opens a regular file in it; nothing else is followed, waited for or read. */
  openFile(name: Buffer): { fd: number; stat: fs.BigIntStats } {
    const before = fs.lstatSync(this.child(name), { bigint: true });
    if (before.isDirectory()) throw errno('EISDIR');
    if (!before.isFile()) throw new Failure('unsupported', 'it is not a regular file');
    const fd = fs.openSync(this.child(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    const stat = fs.fstatSync(fd, { bigint: true });
    if (stat.isFile() && stat.ino === before.ino && stat.dev === before.dev) return { fd, stat };
    fs.closeSync(fd);
    throw changed();
  }

  /** The names in it, in the order of their bytes. */
  names(): Buffer[] {
    return fs.readdirSync(this.child(Buffer.from('.')), { encoding: 'buffer' }).sort(Buffer.compare);
  }

  /** Brings what was done in it to the disk. */
  sync(): void {
    fs.fsyncSync(this.fd);
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}

/** A name in a directory; without a name the directory itself. */
export interface Place {
  directory: Directory;
  name: Buffer | undefined;
  /** A link at the end of the path led here. */
  linked: boolean;
  /** The path is one that only directories have. */
  only: boolean;
  root: number;
}

/** What to do with a link at the end, and what the place is for. */
export interface Wanted {
  follow: boolean;
  intent: 'look' | 'change' | 'make';
}

interface Opened {
  absolute: boolean;
  prefix: Buffer[];
  directory: Directory;
  writable: boolean;
}

/** All open directories. */
export class Roots {
  readonly #roots: Opened[];

  constructor(roots: readonly Root[]) {
    this.#roots = roots.map(({ name, directory, writable = false }) => {
      const { absolute, names } = asked(name ?? directory);
      return { absolute, prefix: names, directory: Directory.open(directory), writable };
    });
  }

  /** Finds a place and works there; what was opened on the way is closed afterwards. */
  at<T>(path: string, wanted: Wanted, work: (place: Place) => T): T {
    const { absolute, names, only } = asked(path);
    const route = new Route(this, absolute, names);
    try {
      return work(route.go({ ...wanted, follow: wanted.follow || (only && wanted.intent === 'look') }, only));
    } finally {
      route.close();
    }
  }

  get(root: number): Opened {
    return this.#roots[root] as Opened;
  }

  /** The innermost root that a path is in. */
  find(absolute: boolean, names: readonly Buffer[]): number | undefined {
    let best: number | undefined;
    for (const [at, root] of this.#roots.entries()) {
      const inside = root.absolute === absolute && root.prefix.every((part, index) => names[index]?.equals(part));
      if (inside && (best === undefined || root.prefix.length > this.get(best).prefix.length)) best = at;
    }
    return best;
  }

  /** Whether things may be changed in a directory below a root; a root inside another decides for itself. */
  writable(root: number, below: readonly Buffer[]): boolean {
    const { absolute, prefix } = this.get(root);
    const found = this.find(absolute, [...prefix, ...below]);
    return found !== undefined && this.get(found).writable;
  }

  close(): void {
    for (const { directory } of this.#roots) directory.close();
    this.#roots.length = 0;
  }
}

/** The way to a place, part by part. */
class Route {
  #root = 0;
  #open: Directory[] = [];
  #below: Buffer[] = [];
  #links = 0;

  constructor(
    readonly roots: Roots,
    absolute: boolean,
    private rest: Buffer[],
  ) {
    this.#start(absolute, 'it is not in an opened directory');
  }

  go({ follow, intent }: Wanted, only: boolean): Place {
    let linked = false;
    for (let name = this.rest.shift(); name; name = this.rest.shift()) {
      if (isUp(name)) {
        if (!this.#below.pop()) throw leadsOut();
        this.#open.pop()?.close();
        continue;
      }
      const last = this.rest.length === 0;
      if (last && !follow) return this.#place(name, linked, only, intent);
      const target = this.#link(name);
      if (target instanceof Buffer) {
        linked ||= last;
        this.#follow(target);
        continue;
      }
      if (last) return this.#place(name, linked, only, intent);
      if (target === 'nothing') {
        if (intent !== 'make') throw errno('ENOENT');
        this.#make(name);
      }
      this.#open.push(this.#here().enter(name));
      this.#below.push(name);
    }
    return this.#place(undefined, linked, only, intent);
  }

  close(): void {
    for (const directory of this.#open.slice(1)) directory.close();
    this.#open = [];
  }

  #here(): Directory {
    return this.#open.at(-1) as Directory;
  }

  #start(absolute: boolean, outside: string): void {
    const up = this.rest.findIndex(isUp);
    const root = this.roots.find(absolute, up < 0 ? this.rest : this.rest.slice(0, up));
    if (root === undefined) throw new Failure('denied', outside);
    this.close();
    const { directory, prefix } = this.roots.get(root);
    this.#root = root;
    this.#open = [directory];
    this.#below = [];
    this.rest.splice(0, prefix.length);
  }

  #link(name: Buffer): Buffer | 'none' | 'nothing' {
    try {
      return fs.readlinkSync(this.#here().child(name), { encoding: 'buffer' });
    } catch (thrown) {
      if (codeOf(thrown) === 'EINVAL') return 'none';
      if (codeOf(thrown) === 'ENOENT') return 'nothing';
      throw thrown;
    }
  }

  #follow(target: Buffer): void {
    if (++this.#links > LINKS) throw errno('ELOOP');
    this.rest.unshift(...parts(target));
    if (target[0] === 47) this.#start(true, LEADS_OUT);
  }

  #make(name: Buffer): void {
    this.#checkWritable();
    try {
      fs.mkdirSync(this.#here().child(name), 0o777);
      this.#here().sync();
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST') throw thrown;
    }
  }

  #checkWritable(): void {
    if (!this.roots.writable(this.#root, this.#below)) throw new Failure('denied', 'it is in a directory that was opened for reading only');
  }

  #place(name: Buffer | undefined, linked: boolean, only: boolean, intent: Wanted['intent']): Place {
    if (intent !== 'look') this.#checkWritable();
    return { directory: this.#here(), name, linked, only, root: this.#root };
  }
}

const LEADS_OUT = 'a link leads out of the opened directories';

function leadsOut(): Failure {
  return new Failure('denied', LEADS_OUT);
}

/** What was looked at was exchanged in between. */
export function changed(): Failure {
  return new Failure('other', 'it was changed meanwhile');
}

/** An error as the system gives it. */
export function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}

export function codeOf(thrown: unknown): unknown {
  return (thrown as { code?: unknown } | undefined)?.code;
}

/** A path in its parts: none is empty, `.` or `..`. */
export function asked(path: string): { absolute: boolean; names: Buffer[]; only: boolean } {
  const bytes = decode(path);
  if (bytes.length === 0) throw errno('ENOENT');
  if (bytes.includes(0)) throw new Failure('invalid', 'it has a zero byte');
  if (bytes.length > LONGEST) throw errno('ENAMETOOLONG');
  const names = parts(bytes);
  if (names.some(isUp)) throw new Failure('denied', 'a part of it is `..`');
  return { absolute: bytes[0] === 47, names, only: /(^|\/)\.?$/.test(bytes.toString('latin1')) };
}

function parts(path: Buffer): Buffer[] {
  return path
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .map((part) => Buffer.from(part, 'latin1'));
}

function isUp(part: Buffer): boolean {
  return part.length === 2 && part[0] === 46 && part[1] === 46;
}
