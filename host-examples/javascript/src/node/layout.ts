// What every user of an OCI image layout directory shares: blobs under their
// digests, and `index.json`, changed with the members of other tools kept.
//
// Writers write blobs first and then replace `index.json` by rename, after
// comparing it once more, because other tools know no lock of ours.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Failure, failureOf } from '../errors.js';
import { byBytes, digestOf, parseDigest, quoted, sha256, verifies } from './bytes.js';
import { codeOf, Directory } from './places.js';
import { locked } from './write.js';

export const INDEX = 'application/vnd.oci.image.index.v1+json';
export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const REF_NAME = 'org.opencontainers.image.ref.name';
const TEMPORARY = '.layerwise.tmp';
const VERSION = '1.0.0';
const ATTEMPTS = 10;
const LONGEST_INDEX = 64 * 2 ** 20;

/** A descriptor as documents hold it. */
export interface Entry {
  mediaType?: string;
  digest: string;
  size: number;
  urls?: string[];
  annotations?: Record<string, string>;
}

/** The members of `index.json`, as they are. */
export interface Index {
  manifests: Entry[];
  [member: string]: unknown;
}

/** A layout directory. */
export class Layout {
  /** This layout's lock is held: what holds it may write more. */
  #held = false;

  constructor(readonly root: string) {}

  /** Checks that there is a layout of the known version. */
  check(): void {
    const path = join(this.root, 'oci-layout');
    const file = object(parsed(path, this.#read(path, 4096)), path);
    if (file['imageLayoutVersion'] !== VERSION) {
      throw new Failure('unsupported', `${quoted(path)} has the version ${JSON.stringify(file['imageLayoutVersion'])}: expected "${VERSION}"`);
    }
  }

  /** Makes an empty layout where nothing is yet. `oci-layout` comes last: it is what makes a directory a layout. */
  create(): void {
    if (fs.existsSync(join(this.root, 'oci-layout'))) return;
    attempt(`create ${quoted(this.root)}`, () => fs.mkdirSync(this.root, { recursive: true }));
    for (const name of fs.readdirSync(this.root)) {
      if (!['blobs', 'index.json', 'oci-layout'].includes(name) && !name.startsWith('.layerwise')) {
        throw new Failure('conflict', `${quoted(this.root)} is not an oci image layout and holds ${quoted(name)}`);
      }
    }
    this.#locked(() => {
      fs.mkdirSync(join(this.root, 'blobs/sha256'), { recursive: true });
      const index = join(this.root, 'index.json');
      if (!fs.existsSync(index)) this.#replace(index, written({ schemaVersion: 2, mediaType: INDEX, manifests: [] }));
      this.#replace(join(this.root, 'oci-layout'), Buffer.from(`{"imageLayoutVersion":"${VERSION}"}`));
    });
  }

  /** The text of `index.json`, and what it says. */
  index(): { text: Buffer; index: Index } {
    this.check();
    const path = join(this.root, 'index.json');
    const text = this.#read(path, LONGEST_INDEX);
    const index = object(parsed(path, text), path);
    const manifests = index['manifests'] ?? [];
    const other = typeof index['mediaType'] === 'string' && index['mediaType'] !== INDEX;
    if (other || 'layers' in index || 'config' in index || !Array.isArray(manifests)) {
      throw new Failure('corrupt', `${quoted(path)} is something else than an image index`);
    }
    return { text, index: { ...index, manifests: manifests as Entry[] } };
  }

  /** Makes a change and writes it, unless it changes nothing; again when another program wrote meanwhile. */
  update(change: (index: Index) => void): void {
    const path = join(this.root, 'index.json');
    this.#locked(() => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const { text, index } = this.index();
        const before = written(index);
        change(index);
        const after = written(index);
        if (before.equals(after)) return;
        if (this.#replace(path, after, () => this.#read(path, LONGEST_INDEX).equals(text))) return;
      }
      throw new Failure('conflict', `another program keeps changing ${quoted(path)}`);
    });
  }

  /** Where a blob is. Only a checked digest becomes part of a path. */
  path(digest: string): string {
    const { algorithm, hex } = digestOf(digest);
    return join(this.root, 'blobs', algorithm, hex);
  }

  /** The size of a blob that is there. */
  size(digest: string): number {
    const path = this.path(digest);
    const stat = attempt(`read ${quoted(path)}`, () => fs.statSync(path));
    if (!stat.isFile()) throw new Failure('corrupt', `${quoted(path)} is not a regular file`);
    return stat.size;
  }

  /** Fails when blobs cannot be looked up where this one is. A directory that is not there holds nothing. */
  checkReachable(digest: string): void {
    const directory = join(this.path(digest), '..');
    try {
      fs.statSync(`${directory}/.`);
    } catch (thrown) {
      if (codeOf(thrown) === 'ENOTDIR') throw new Failure('corrupt', `${quoted(directory)} is not a directory`);
      if (codeOf(thrown) !== 'ENOENT') throw failureOf(thrown, `search ${quoted(directory)}`);
    }
  }

  /** The bytes of a blob, checked. */
  blob(digest: string, size: number, limit = Number.MAX_SAFE_INTEGER): Buffer {
    if (size > limit) throw new Failure('too-large', `blob ${digest} has ${size} bytes, more than the limit of ${limit}`);
    const path = this.path(digest);
    const there = this.size(digest);
    if (there !== size) throw new Failure(there < size ? 'truncated' : 'corrupt', `${quoted(path)} has ${there} bytes, expected ${size}`);
    const bytes = attempt(`read ${quoted(path)}`, () => fs.readFileSync(path));
    if (!verifies(digest, bytes)) throw new Failure('corrupt', `${quoted(path)} does not have the digest it is named after`);
    return bytes;
  }

  /** Whether a blob of this size is there; its content is not read. */
  present(digest: string, size: number): boolean {
    try {
      return this.size(digest) === size;
    } catch {
      return false;
    }
  }

  /** Whether a blob is there with the right bytes. */
  holds(digest: string, size: number): boolean {
    try {
      this.blob(digest, size);
      return true;
    } catch {
      return false;
    }
  }

  /** Stores a blob unless it is there with the right bytes; answers whether it was not. */
  store(digest: string, bytes: Buffer): boolean {
    this.create();
    this.check();
    if (this.holds(digest, bytes.length)) return false;
    const directory = join(this.root, 'blobs', digestOf(digest).algorithm);
    this.#locked(() => {
      attempt(`create ${quoted(directory)}`, () => fs.mkdirSync(directory, { recursive: true }));
      this.#checkInside(directory);
      this.#replace(this.path(digest), bytes);
    });
    return true;
  }

  /** Takes a blob away. */
  remove(digest: string): void {
    const path = this.path(digest);
    this.#checkInside(join(path, '..'));
    attempt(`remove ${quoted(path)}`, () => fs.rmSync(path, { force: true }));
  }

  /** Writes a document under its digest. */
  document(mediaType: string, text: string): Entry {
    const bytes = Buffer.from(text);
    const digest = sha256(bytes);
    this.store(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  #read(path: string, limit: number): Buffer {
    return attempt(`read ${quoted(path)}`, () => {
      const stat = fs.statSync(path);
      if (!stat.isFile()) throw new Failure('corrupt', `${quoted(path)} is not a regular file`);
      if (stat.size > limit) throw new Failure('too-large', `${quoted(path)} has ${stat.size} bytes, more than the limit of ${limit}`);
      return fs.readFileSync(path);
    });
  }

  #locked<T>(work: () => T): T {
    if (this.#held) return work();
    const directory = attempt(`open ${quoted(this.root)}`, () => Directory.open(this.root));
    try {
      return locked(directory, () => {
        this.#held = true;
        return work();
      });
    } finally {
      this.#held = false;
      directory.close();
    }
  }

  /** Only the holder of the lock writes. `ready` can still call it off. */
  #replace(path: string, bytes: Buffer, ready: () => boolean = () => true): boolean {
    const temporary = join(this.root, TEMPORARY);
    return attempt(`write ${quoted(path)}`, () => {
      const mode = fs.statSync(path, { throwIfNoEntry: false })?.mode;
      fs.rmSync(temporary, { force: true });
      fs.writeFileSync(temporary, bytes, { flag: 'wx', flush: true });
      if (mode !== undefined) fs.chmodSync(temporary, mode & 0o7777);
      if (!ready()) {
        fs.rmSync(temporary, { force: true });
        return false;
      }
      fs.renameSync(temporary, path);
      return true;
    });
  }

  /** Refuses to write through a link that leads out of the layout. */
  #checkInside(directory: string): void {
    const [real, root] = [fs.realpathSync(directory), fs.realpathSync(this.root)];
    if (!real.startsWith(root + '/')) throw new Failure('denied', `${quoted(directory)} leads out of the layout: nothing is written there`);
  }
}

/** Sets or takes away an annotation. */
export function annotate(entry: Entry, key: string, value: string | undefined): void {
  if (value === undefined) {
    if (entry.annotations) delete entry.annotations[key];
  } else entry.annotations = { ...entry.annotations, [key]: value };
}

/** The name of an entry. */
export function nameOf(entry: Entry): string | undefined {
  const name = entry.annotations?.[REF_NAME];
  return typeof name === 'string' ? name : undefined;
}

/** Whether something is a descriptor that can be used. */
export function isEntry(entry: unknown): entry is Entry {
  const { digest, size } = (entry ?? {}) as Partial<Entry>;
  return typeof digest === 'string' && parseDigest(digest) !== undefined && Number.isSafeInteger(size) && (size as number) >= 0;
}

/** Whether a layout can hold a text as a name. */
export function isName(name: string): boolean {
  return name.length <= 255 && /^[A-Za-z0-9]+((--|[-._:@+])[A-Za-z0-9]+)*(\/[A-Za-z0-9]+((--|[-._:@+])[A-Za-z0-9]+)*)*$/.test(name);
}

/** JSON with the members of all objects in order, as every host of this component writes `index.json`. */
function written(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(sorted(value)));
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => byBytes(a, b)).map(([key, item]) => [key, sorted(item)]));
}

/** The JSON in the bytes of a file. */
export function parsed(path: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (thrown) {
    const early = !/[}\]]\s*$/.test(bytes.toString('utf8'));
    throw new Failure(early ? 'truncated' : 'corrupt', `${quoted(path)} is not json: ${(thrown as Error).message}`);
  }
}

function object(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Failure('corrupt', `${quoted(path)} is not a json object`);
}

function attempt<T>(action: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOTDIR') throw new Failure('not-found', `cannot ${action}: a part of it is not a directory`);
    throw failureOf(thrown, action);
  }
}
