// Repositories: OCI image layouts as `oci:PATH`, and registries over HTTP. The
// registry that a Node program lends.
import * as fs from 'node:fs';
import { relative, resolve } from 'node:path';
import { Failure, failureOf } from '../errors.js';
import type { Each, Registries, Registry, Types } from '../lent.js';
import { byBytes, digestOf, parseDigest, quoted, sha256, verifies } from './bytes.js';
import { checkSize, diffIdOf, uncompressed } from './decompress.js';
import { annotate, DOCKER_LIST, DOCKER_MANIFEST, type Entry, INDEX, isEntry, isName, Layout, MANIFEST, nameOf, parsed, REF_NAME } from './layout.js';
import { repositoryOf, targetOf, type Where, whereOf } from './reference.js';
import { Remote, type RemoteOptions } from './remote.js';

const LATEST = 'latest';
const MANIFESTS = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST];
const LONGEST_MANIFEST = 4 * 2 ** 20;

export interface RepositoriesOptions extends RemoteOptions {
  /** Layouts are below this directory, and nowhere else; the working directory unless told otherwise. */
  layouts?: string;
  /** The bytes of the blob that the caller calls by this name. */
  provider?: (name: string, wanted: Types.Descriptor) => Buffer;
}

/**
 * Repositories in layouts and registries. Layers are copied and checked, and neither
 * unpacked nor packed: a destination and a tar file to store are `unsupported`.
 */
export class Repositories implements Registry {
  readonly #options: RepositoriesOptions;
  readonly #remote: Remote;

  constructor(options: RepositoriesOptions = {}) {
    this.#options = options;
    this.#remote = new Remote(options);
  }

  locate(reference: string): string {
    return repositoryOf(targetOf(reference).where);
  }

  resolve(references: string[]): Each<Types.Descriptor[]> {
    return each(references, (reference) => {
      const { where, tag, digest } = targetOf(reference);
      if (!('layout' in where)) return [this.#remote.resolve(where, digest ?? tag ?? LATEST)];
      const { manifests } = this.#layout(where).index().index;
      const named = (name: string) => manifests.filter((entry) => nameOf(entry) === name);
      let found = digest ? manifests.filter((entry) => entry.digest === digest).slice(0, 1) : named(tag ?? LATEST);
      if (found.length === 0 && !digest && tag === undefined) {
        if (manifests.length > 1) throw new Failure('invalid', `${quoted(where.layout)} has ${manifests.length} entries: name one of them`);
        found = manifests;
      }
      if (found.length === 0) throw new Failure('not-found', `no ${digest ?? quoted(tag ?? LATEST)} in ${quoted(where.layout)}`);
      return found.map(descriptorOf);
    });
  }

  read(repository: string, wanted: Types.Descriptor[], limit: bigint): Each<string> {
    return each(wanted, ({ digest, size, mediaType }) => {
      const where = whereOf(repository);
      digestOf(digest);
      if (size > limit) throw new Failure('too-large', `${digest} has ${size} bytes, more than the limit of ${limit}`);
      const bytes = 'layout' in where ? this.#layout(where).blob(digest, Number(size)) : this.#remote.document(where, digest, Number(size), MANIFESTS.includes(mediaType));
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        throw new Failure('unsupported', `${digest} is not utf-8`);
      }
    });
  }

  has(repository: string, digests: string[]): readonly Registries.Presence[] {
    const where = whereOf(repository);
    return digests.map((digest) => {
      digestOf(digest);
      if (!('layout' in where)) return this.#remote.has(where, digest);
      const layout = this.#layout(where);
      try {
        layout.check();
      } catch (thrown) {
        // A layout that was not made yet has nothing.
        if (thrown instanceof Failure && thrown.code === 'not-found') return 'absent';
        throw thrown;
      }
      return layout.has(digest) ? 'present' : 'absent';
    });
  }

  write(repository: string, shelf: Registries.Shelf, mediaType: string, document: string): Types.Descriptor {
    const where = whereOf(repository);
    const bytes = Buffer.from(document);
    const digest = sha256(bytes);
    if (shelf === 'manifest') checkManifest(digest, mediaType, bytes);
    if ('layout' in where) this.#layout(where).store(digest, bytes);
    else if (shelf === 'manifest') this.#remote.putManifest(where, digest, mediaType, bytes);
    else this.#remote.store(where, digest, () => bytes);
    return { mediaType, digest, size: BigInt(bytes.length), annotations: [] };
  }

  store(repository: string, layers: Registries.Transfer[]): Each<Registries.Stored> {
    return each(layers, ({ descriptor, source }) => {
      const to = whereOf(repository);
      if (source.tag === 'repository') return this.#copy(to, whereOf(source.val), descriptor);
      if (source.tag === 'file' || descriptor.digest === '') throw unsupported('store', source.val);
      checkSize(descriptor.digest, descriptor.size);
      const written = this.#put(to, descriptor.digest, () => checked(descriptor, this.#provided(source.val, descriptor)));
      return { descriptor, written };
    });
  }

  retrieve(repository: string, layers: Registries.Retrieval[]): Each<Registries.Retrieved> {
    return each(layers, ({ descriptor, into, diffId }) => {
      if (diffId !== undefined) digestOf(diffId);
      if (into) throw unsupported('unpack', descriptor.digest);
      const tar = uncompressed(descriptor.digest, descriptor.mediaType, this.#blob(whereOf(repository), descriptor));
      const found = diffIdOf(tar, diffId);
      if (diffId !== undefined && found !== diffId) {
        throw new Failure('corrupt', `the uncompressed bytes of ${descriptor.digest} have the digest ${found}, expected ${diffId}`);
      }
      return { diffId: found, size: BigInt(tar.length) };
    });
  }

  tag(reference: string, digest: string): void {
    const { where, tag, digest: named } = targetOf(reference);
    digestOf(digest);
    if (named) throw new Failure('invalid', `${quoted(reference)} names a digest: no tag can be set there`);
    const name = tag ?? LATEST;
    if (!('layout' in where)) return this.#remote.tag(where, name, digest);
    if (!isName(name)) throw new Failure('invalid', `${quoted(name)} is not a name an image layout can hold`);
    const layout = this.#layout(where);
    layout.check();
    const bytes = layout.blob(digest, layout.size(digest), LONGEST_MANIFEST);
    const entry: Entry = { mediaType: mediaTypeOf(digest, bytes), digest, size: bytes.length };
    layout.update((index) => {
      const own = index.manifests.filter((known) => known.digest === digest);
      for (const known of index.manifests) if (nameOf(known) === name && !own.includes(known)) annotate(known, REF_NAME, undefined);
      if (own.some((known) => nameOf(known) === name)) return;
      let target = own.find((known) => nameOf(known) === undefined);
      if (!target) {
        target = entry;
        index.manifests.push(entry);
      }
      annotate(target, REF_NAME, name);
    });
  }

  delete(repository: string, digest: string): void {
    digestOf(digest);
    const where = whereOf(repository);
    if (!('layout' in where)) return this.#remote.delete(where, digest);
    const layout = this.#layout(where);
    const there = () => layout.has(digest);
    if (!layout.index().index.manifests.some((entry) => entry.digest === digest) && !there()) {
      throw new Failure('not-found', `no manifest ${digest} in ${quoted(where.layout)}`);
    }
    layout.update((index) => {
      index.manifests = index.manifests.filter((entry) => entry.digest !== digest);
    });
    if (there() && !isReferredTo(layout, digest)) layout.remove(digest);
  }

  /** Ends what serves HTTP. */
  close(): void {
    this.#remote.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #copy(to: Where, from: Where, descriptor: Types.Descriptor): Registries.Stored {
    const mount = 'host' in to && 'host' in from && to.host === from.host ? from.path : undefined;
    return { descriptor, written: this.#put(to, descriptor.digest, () => this.#blob(from, descriptor), mount) };
  }

  #put(to: Where, digest: string, bytes: () => Buffer, mount?: string): boolean {
    digestOf(digest);
    return 'layout' in to ? this.#layout(to).store(digest, bytes()) : this.#remote.store(to, digest, bytes, mount);
  }

  #blob(where: Where, { digest, size }: Types.Descriptor): Buffer {
    digestOf(digest);
    checkSize(digest, size);
    if (!('layout' in where)) return this.#remote.blob(where, digest, Number(size));
    const layout = this.#layout(where);
    layout.check();
    return layout.blob(digest, Number(size));
  }

  #provided(name: string, wanted: Types.Descriptor): Buffer {
    if (!this.#options.provider) throw new Failure('unsupported', `nothing provides the layer ${quoted(name)}`);
    return this.#options.provider(name, wanted);
  }

  /** The layout of a repository, below where layouts may be, without links on the way. */
  #layout({ layout }: { layout: string }): Layout {
    const given = resolve(this.#options.layouts ?? '.');
    const base = fs.realpathSync(given);
    for (const top of [given, base]) {
      const below = relative(top, resolve(top, layout));
      if (below.split('/')[0] !== '..') return new Layout(resolve(base, below), base);
    }
    throw new Failure('denied', `no layouts may be opened at ${quoted(layout)}`);
  }
}

function unsupported(what: string, name: string): Failure {
  const words = 'this host neither unpacks nor packs layers: use another one, such as `layerwise`';
  return new Failure('unsupported', `cannot ${what} the layer ${quoted(name)}: ${words}`);
}

function each<T, R>(items: readonly T[], work: (item: T) => R): (R | Failure)[] {
  return items.map((item) => {
    try {
      return work(item);
    } catch (thrown) {
      return failureOf(thrown);
    }
  });
}

function descriptorOf({ mediaType = '', digest, size, annotations = {} }: Entry): Types.Descriptor {
  if (!parseDigest(digest)) throw new Failure('corrupt', `a descriptor has ${JSON.stringify(digest)} for its digest`);
  const sorted = Object.entries(annotations).sort(([a], [b]) => byBytes(a, b));
  return { mediaType, digest, size: BigInt(size), annotations: sorted.map(([key, value]) => ({ key, value })) };
}

function checked({ digest, size }: Types.Descriptor, bytes: Buffer): Buffer {
  if (BigInt(bytes.length) !== size) throw new Failure(BigInt(bytes.length) < size ? 'truncated' : 'corrupt', `${digest} has ${bytes.length} bytes, expected ${size}`);
  if (!verifies(digest, bytes)) throw new Failure('corrupt', `what was provided does not have the digest ${digest}`);
  return bytes;
}

/** What a manifest says itself, else what its members say. */
function mediaTypeOf(digest: string, bytes: Buffer): string {
  const body = parsed(digest, bytes) as Record<string, unknown> | null;
  const lists = body?.['manifests'] != null;
  const holds = body?.['config'] != null || body?.['layers'] != null;
  if (lists && holds) throw new Failure('corrupt', `${digest} is a manifest and an index at the same time`);
  if (typeof body?.['mediaType'] === 'string' && body['mediaType'] !== '') return body['mediaType'];
  if (lists || holds) return lists ? INDEX : MANIFEST;
  throw new Failure('corrupt', `${digest} is not a manifest`);
}

/** What a manifest says of itself must be what it is stored as (CVE-2021-41190). */
function checkManifest(digest: string, mediaType: string, bytes: Buffer): void {
  const { mediaType: own = mediaType } = parsed(digest, bytes) as { mediaType?: unknown };
  if (mediaType === '' || own !== mediaType) throw new Failure('invalid', `the manifest ${digest} is ${JSON.stringify(own)}, and not ${quoted(mediaType)}`);
}

/** Whether the index, or one inside it, refers to a manifest. Says yes when that cannot be told. */
function isReferredTo(layout: Layout, digest: string): boolean {
  const waiting = [...layout.index().index.manifests];
  const seen = new Set<string>();
  for (let entry = waiting.pop(); entry; entry = waiting.pop()) {
    if (!isEntry(entry)) return true;
    if (entry.digest === digest) return true;
    if (seen.has(entry.digest) || ![INDEX, DOCKER_LIST].includes(entry.mediaType ?? '')) continue;
    seen.add(entry.digest);
    try {
      const { manifests } = parsed(entry.digest, layout.blob(entry.digest, entry.size, LONGEST_MANIFEST)) as { manifests?: Entry[] };
      waiting.push(...(manifests ?? []));
    } catch {
      return true;
    }
  }
  return false;
}
