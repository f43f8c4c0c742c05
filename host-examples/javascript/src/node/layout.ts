// What every user of an OCI image layout directory shares: blobs under their
// digests, and `index.json`, changed with the members of other tools kept.
//
// Writers write blobs first and then replace `index.json` by rename, after
// comparing it once more, because other tools know no lock of ours. No link below
// the directory is followed, see below.ts. What a killed writer left are files
// `.layerwise.tmp.*`: nobody removes one that another may still write.
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../errors.js';
import { attempt, create, entered, look, opened, read, remove, sizeOf } from './below.js';
import { byBytes, digestOf, parseDigest, quoted, sha256, verifies } from './bytes.js';
import type { Directory } from './places.js';
import { locked } from './write.js';

export const INDEX = 'application/vnd.oci.image.index.v1+json';
export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const REF_NAME = 'org.opencontainers.image.ref.name';
const TEMPORARY = '.layerwise.tmp.';
const MARKER = 'oci-layout';
const NAME = 'index.json';
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

/** A layout directory; below `within`, no link is followed on the way to it. */
export class Layout {
  /** This layout's lock is held: what holds it may write more. */
  #held = false;

  constructor(
    readonly root: string,
    readonly within?: string,
  ) {}

  /** Checks that there is a layout of the known version. */
  check(): void {
    const path = join(this.root, MARKER);
    const file = object(parsed(path, this.#opened((root) => read(root, MARKER, 4096))), path);
    if (file['imageLayoutVersion'] !== VERSION) {
      throw new Failure('unsupported', `${quoted(path)} has the version ${JSON.stringify(file['imageLayoutVersion'])}: expected "${VERSION}"`);
    }
  }

  /** Makes an empty layout where nothing is yet. `oci-layout` comes last: it is what makes a directory a layout. */
  create(): void {
    this.#opened((root) => {
      if (look(root, MARKER)) return;
      for (const name of root.names().map(String)) {
        if (!['blobs', NAME, MARKER].includes(name) && !name.startsWith('.layerwise')) {
          throw new Failure('conflict', `${quoted(this.root)} is not an oci image layout and holds ${quoted(name)}`);
        }
      }
      this.#locked(root, () => {
        entered(root, ['blobs', 'sha256'], true, () => undefined);
        if (!look(root, NAME)) this.#replace(root, NAME, root, written({ schemaVersion: 2, mediaType: INDEX, manifests: [] }));
        this.#replace(root, MARKER, root, Buffer.from(`{"imageLayoutVersion":"${VERSION}"}`));
      });
    }, true);
  }

  /** The text of `index.json`, and what it says. */
  index(): { text: Buffer; index: Index } {
    this.check();
    const path = join(this.root, NAME);
    const text = this.#opened((root) => read(root, NAME, LONGEST_INDEX));
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
    this.#opened((root) =>
      this.#locked(root, () => {
        for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
          const { text, index } = this.index();
          const before = written(index);
          change(index);
          const after = written(index);
          if (before.equals(after)) return;
          if (this.#replace(root, NAME, root, after, () => read(root, NAME, LONGEST_INDEX).equals(text))) return;
        }
        throw new Failure('conflict', `another program keeps changing ${quoted(join(this.root, NAME))}`);
      }),
    );
  }

  /** Where a blob is, for messages. Only a checked digest becomes part of a path. */
  path(digest: string): string {
    return join(this.root, ...partsOf(digest));
  }

  /** The size of a blob that is there. */
  size(digest: string): number {
    return this.#at(digest, false, (directory, name) => sizeOf(directory, name));
  }

  /** Whether a blob is there; `corrupt` when something else is. */
  has(digest: string): boolean {
    try {
      this.size(digest);
      return true;
    } catch (thrown) {
      if (thrown instanceof Failure && thrown.code === 'not-found') return false;
      throw thrown;
    }
  }

  /** Fails when blobs cannot be looked up where this one is. A directory that is not there holds nothing. */
  checkReachable(digest: string): void {
    const names = partsOf(digest).slice(0, -1);
    this.#opened((root) => {
      for (const [at, name] of names.entries()) {
        const there = entered(root, names.slice(0, at), false, (directory) => look(directory, name));
        if (!there) return;
        if (!there.isDirectory() && !there.isSymbolicLink()) {
          throw new Failure('corrupt', `${quoted(join(this.root, ...names.slice(0, at + 1)))} is not a directory`);
        }
      }
      entered(root, names, false, () => undefined);
    });
  }

  /** The bytes of a blob, checked. */
  blob(digest: string, size: number, limit = Number.MAX_SAFE_INTEGER): Buffer {
    if (size > limit) throw new Failure('too-large', `blob ${digest} has ${size} bytes, more than the limit of ${limit}`);
    const path = quoted(this.path(digest));
    const bytes = this.#at(digest, false, (directory, name) => {
      const there = sizeOf(directory, name);
      if (there !== size) throw new Failure(there < size ? 'truncated' : 'corrupt', `${path} has ${there} bytes, expected ${size}`);
      return read(directory, name, size);
    });
    if (!verifies(digest, bytes)) throw new Failure('corrupt', `${path} does not have the digest it is named after`);
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

  /** Stores a blob unless it is there with the right bytes; returns whether it was not. */
  store(digest: string, bytes: Buffer): boolean {
    this.create();
    this.check();
    if (this.holds(digest, bytes.length)) return false;
    this.#opened((root) =>
      this.#locked(root, () => entered(root, partsOf(digest).slice(0, -1), true, (directory) => this.#replace(directory, digestOf(digest).hex, root, bytes))),
    );
    return true;
  }

  /** Takes a blob away. */
  remove(digest: string): void {
    this.#at(digest, false, (directory, name) => remove(directory, name));
  }

  /** Writes a document under its digest. */
  document(mediaType: string, text: string): Entry {
    const bytes = Buffer.from(text);
    const digest = sha256(bytes);
    this.store(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  #opened<T>(work: (root: Directory) => T, make = false): T {
    return opened(this.root, this.within, make, work);
  }

  #at<T>(digest: string, make: boolean, work: (directory: Directory, name: string) => T): T {
    const names = partsOf(digest);
    return this.#opened((root) => entered(root, names.slice(0, -1), make, (directory) => work(directory, names.at(-1) as string)));
  }

  #locked<T>(root: Directory, work: () => T): T {
    if (this.#held) return work();
    try {
      return locked(root, () => {
        this.#held = true;
        return work();
      });
    } finally {
      this.#held = false;
    }
  }

  /** Writes a file so that a crash leaves what was there or all of the bytes. `ready` can still call it off. */
  #replace(directory: Directory, name: string, root: Directory, bytes: Buffer, ready: () => boolean = () => true): boolean {
    // A name that nobody else makes: writers of other languages know no lock of ours.
    const temporary = `${TEMPORARY}${randomUUID()}`;
    create(root, temporary, bytes);
    try {
      const mode = look(directory, name)?.mode;
      const from = root.child(Buffer.from(temporary));
      if (mode !== undefined) fs.chmodSync(from, Number(mode & 0o777n));
      if (!ready()) return false;
      attempt(`write ${quoted(join(this.root, name))}`, () => {
        fs.renameSync(from, directory.child(Buffer.from(name)));
        directory.sync();
      });
      return true;
    } finally {
      remove(root, temporary);
    }
  }
}

function partsOf(digest: string): string[] {
  const { algorithm, hex } = digestOf(digest);
  return ['blobs', algorithm, hex];
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
