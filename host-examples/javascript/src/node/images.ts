// The images of an OCI image layout, as an image store.
//
// What this store knows more than the layout says is kept in annotations of the
// image's entries in `index.json`, which other tools hand through:
// `dev.layerwise.parent`, `dev.layerwise.built-here`, and with them
// `dev.layerwise.image`, the id of the image they are about. On an entry that a
// tool copied to another image they mean nothing, nor do they inside nested
// indexes, which come from elsewhere as a whole.
import { Failure, failureOf } from '../errors.js';
import type { Each, Images, ImageStore } from '../lent.js';
import { byBytes, parseDigest, quoted, sha256 } from './bytes.js';
import { annotate, DOCKER_LIST, DOCKER_MANIFEST, type Entry, INDEX, type Index, isEntry, Layout, MANIFEST, parsed } from './layout.js';
import { parseReference } from './reference.js';

const IMAGE = 'dev.layerwise.image';
const PARENT = 'dev.layerwise.parent';
const BUILT_HERE = 'dev.layerwise.built-here';
const FULL_NAME = 'io.containerd.image.name';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const CONFIGS = [CONFIG, 'application/vnd.docker.container.image.v1+json'];
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
/** Docker's layer media types and what OCI calls them. */
const LAYERS: Readonly<Record<string, string>> = {
  'application/vnd.docker.image.rootfs.diff.tar': LAYER,
  'application/vnd.docker.image.rootfs.diff.tar.gzip': `${LAYER}+gzip`,
  'application/vnd.docker.image.rootfs.diff.tar.zstd': `${LAYER}+zstd`,
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
};
const LONGEST_MANIFEST = 4 * 2 ** 20;
const LONGEST_DOCUMENT = 64 * 2 ** 20;
const MOST_DOCUMENTS = 100_000;

interface Manifest {
  config: Entry;
  layers: Entry[];
}

interface Known {
  config: Entry;
  manifests: { pointer: Entry; manifest: Manifest }[];
  parent: string | undefined;
  built: Images.Provenance;
  /** The positions of its own entries in `index.json`. */
  entries: number[];
}

interface Catalog {
  text: Buffer;
  images: Map<string, Known>;
  /** The ids that are reached from each entry of `index.json`. */
  reached: string[][];
  index: Index;
}

/** The images of a layout directory, readable and writable. */
export class LayoutImages implements ImageStore {
  readonly #layout: Layout;
  #catalog: Catalog | undefined;

  constructor(root: string) {
    this.#layout = new Layout(root);
    this.#now();
  }

  get(ids: string[], want: Images.Facts, limit: bigint): Each<Images.Image> {
    const catalog = this.#now();
    const answers: (Images.Image | Failure)[] = [];
    let room = limit;
    for (const id of ids) {
      const size = want.document ? BigInt(catalog.images.get(id)?.config.size ?? 0) : 0n;
      if (size > limit) {
        answers.push(new Failure('too-large', `document of image ${quoted(id)} has ${size} bytes, more than the limit of ${limit}`));
        continue;
      }
      if (size > room) break;
      room -= size;
      answers.push(attempt(() => this.#image(id, this.#known(catalog, id), want, limit)));
    }
    return answers;
  }

  resolve(references: string[], limit: bigint): Each<Images.Image> {
    const catalog = this.#now();
    return references.map((text) =>
      attempt(() => {
        const id = this.#find(catalog, text);
        return this.#image(id, this.#known(catalog, id), { document: true }, limit);
      }),
    );
  }

  children(parent: string | undefined): readonly string[] {
    return [...this.#now().images].flatMap(([id, known]) => (known.parent === parent ? [id] : []));
  }

  setParent(target: string, parent: string): void {
    this.#update((catalog, index) => {
      const known = this.#known(catalog, target);
      this.#known(catalog, parent);
      note(index, target, known, PARENT, parent);
    });
  }

  create(parent: string | undefined, document: string, layer: string | undefined): string {
    const id = sha256(document);
    const diffIds = diffIdsOf(document);
    if (layer !== undefined && diffIds.at(-1) !== layer) throw new Failure('invalid', `the layer ${quoted(layer)} is not the last one of the document`);
    this.#update((catalog, index) => {
      const from = parent === undefined ? undefined : this.#known(catalog, parent);
      const known = catalog.images.get(id);
      if (known) {
        if (parent !== undefined) note(index, id, known, PARENT, parent);
        return;
      }
      const layers = diffIds.map((diffId, at) => this.#layer(catalog, from, diffId, at));
      const config = this.#layout.document(CONFIG, document);
      const manifest = this.#layout.document(MANIFEST, JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }));
      let own = index.manifests.filter(({ digest }) => digest === manifest.digest);
      if (own.length === 0) {
        index.manifests.push(manifest);
        own = [manifest];
      }
      for (const entry of own) {
        about(entry, id);
        annotate(entry, PARENT, parent);
        annotate(entry, BUILT_HERE, 'false');
      }
    });
    return id;
  }

  /** Notes whether an image was built here, which only the program that builds can know. */
  setBuiltHere(id: string, builtHere: boolean): void {
    this.#update((catalog, index) => note(index, id, this.#known(catalog, id), BUILT_HERE, String(builtHere)));
  }

  #image(id: string, known: Known, want: Images.Facts, limit: bigint): Images.Image {
    const { digest, size } = known.config;
    if (want.parent && known.parent !== undefined && !parseDigest(known.parent)) {
      throw new Failure('corrupt', `image ${quoted(id)} has ${quoted(known.parent)} for its parent, which is not an image id`);
    }
    const most = limit < BigInt(LONGEST_DOCUMENT) ? Number(limit) : LONGEST_DOCUMENT;
    return {
      id,
      document: want.document ? utf8(digest, this.#layout.blob(digest, size, most)) : undefined,
      parent: want.parent ? known.parent : undefined,
      built: want.built ? known.built : 'unknown',
    };
  }

  #known(catalog: Catalog, id: string): Known {
    if (!parseDigest(id)) throw new Failure('invalid', `${quoted(id)} is not an image id`);
    const known = catalog.images.get(id);
    if (!known) throw this.#unknown(id);
    return known;
  }

  #unknown(text: string): Failure {
    return new Failure('not-found', `no image ${quoted(text)} in ${quoted(this.#layout.root)}`);
  }

  /** An id or the digest of a manifest, a name, a name as Docker completes it, the beginning of an id. */
  #find(catalog: Catalog, text: string): string {
    const id = parseDigest(text) ? text : parseDigest(`sha256:${text}`) ? `sha256:${text}` : undefined;
    if (id) return catalog.images.has(id) ? id : this.#only(catalog, text, ({ digest }) => digest === id);
    const full = parseReference(text)?.full;
    for (const [key, name] of [['org.opencontainers.image.ref.name', text], [FULL_NAME, text], [FULL_NAME, full]] as const) {
      const named = (entry: Entry) => name !== undefined && entry.annotations?.[key] === name;
      if (catalog.index.manifests.some(named)) return this.#only(catalog, text, named);
    }
    const [, algorithm = '', hex = ''] = /^(?:([a-z0-9]+):)?([0-9a-f]+)$/.exec(text) ?? [];
    const found = hex === '' ? [] : [...catalog.images.keys()].filter((id) => id.startsWith(`${algorithm}:${hex}`) || (algorithm === '' && id.split(':')[1]?.startsWith(hex)));
    if (found.length > 1) throw new Failure('invalid', `several image ids begin with ${quoted(text)}`);
    if (!found[0]) throw this.#unknown(text);
    return found[0];
  }

  #only(catalog: Catalog, text: string, matches: (entry: Entry) => boolean): string {
    const ids = new Set(catalog.index.manifests.flatMap((entry, at) => (matches(entry) ? (catalog.reached[at] ?? []) : [])));
    if (ids.size > 1) throw new Failure('invalid', `${quoted(text)} stands for ${ids.size} images: name one by its id`);
    const [id] = ids;
    if (!id) throw this.#unknown(text);
    return id;
  }

  /** The blob of a diff id: in the parent at the same place, else in any image, those built here first. */
  #layer(catalog: Catalog, from: Known | undefined, diffId: string, at: number): Entry {
    const there = ({ diff, layer }: Pair) => diff === diffId && this.#layout.present(layer.digest, layer.size);
    const same = (from ? this.#pairs(from) : [])[at];
    const found = same && there(same) ? same : this.#all(catalog).find(there);
    if (!found) throw new Failure('not-found', `no image of the layout has a layer with the diff id ${diffId}`);
    return asOci(found.layer);
  }

  #all(catalog: Catalog): Pair[] {
    const pairs = [...catalog.images.values()].flatMap((known) => this.#pairs(known).map((pair) => ({ ...pair, here: known.built === 'built-here' })));
    return pairs.sort((a, b) => Number(b.here) - Number(a.here) || byBytes(a.layer.digest, b.layer.digest));
  }

  /** The diff ids of an image with their blobs; nothing when it cannot be read or counts disagree. */
  #pairs({ config, manifests }: Known): Pair[] {
    try {
      const diffIds = diffIdsOf(utf8(config.digest, this.#layout.blob(config.digest, config.size, LONGEST_DOCUMENT)));
      const whole = manifests.filter(({ manifest }) => manifest.layers.length === diffIds.length);
      const pairs = whole.flatMap(({ manifest }) => manifest.layers.map((layer, at) => ({ diff: diffIds[at] as string, layer })));
      return pairs.filter(({ diff, layer }) => asOci(layer).mediaType !== LAYER || layer.digest === diff);
    } catch {
      return [];
    }
  }

  #update(change: (catalog: Catalog, index: Index) => void): void {
    this.#layout.update((index) => change(this.#now(), index));
  }

  #now(): Catalog {
    const { text, index } = this.#layout.index();
    if (!this.#catalog?.text.equals(text)) this.#catalog = this.#read(text, index);
    return this.#catalog;
  }

  #read(text: Buffer, index: Index): Catalog {
    const nodes = new Map<string, Node>();
    const images = new Map<string, Known>();
    const reached = index.manifests.map((entry) => this.#walk(entry, nodes, images));
    for (const [at, entry] of index.manifests.entries()) {
      const node = isEntry(entry) ? nodes.get(keyOf(entry)) : undefined;
      const known = node?.manifest && images.get(node.manifest.config.digest);
      if (!known) continue;
      known.entries.push(at);
      if (entry.annotations?.[IMAGE] !== known.config.digest) continue;
      known.parent ??= entry.annotations[PARENT] || undefined;
      const built = entry.annotations[BUILT_HERE];
      if (known.built === 'unknown' && built !== undefined) known.built = built === 'true' ? 'built-here' : built === 'false' ? 'elsewhere' : 'unknown';
    }
    return { text, index, reached, images: new Map([...images].sort(([a], [b]) => byBytes(a, b))) };
  }

  /** Reads what an entry leads to, breadth first, each thing once; answers the ids of images. */
  #walk(from: Entry, nodes: Map<string, Node>, images: Map<string, Known>): string[] {
    const ids = new Set<string>();
    const seen = new Set<string>();
    const waiting: Entry[] = [from];
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      if (!isPointer(entry) || seen.has(keyOf(entry))) continue;
      seen.add(keyOf(entry));
      let node = nodes.get(keyOf(entry));
      if (!node) {
        if (nodes.size >= MOST_DOCUMENTS) throw new Failure('too-large', `the index leads to more than ${MOST_DOCUMENTS} manifests`);
        node = this.#node(entry);
        nodes.set(keyOf(entry), node);
        if (node.manifest) remember(images, entry, node.manifest);
      }
      if (node.manifest && images.has(node.manifest.config.digest)) ids.add(node.manifest.config.digest);
      waiting.push(...(node.inner ?? []));
    }
    return [...ids];
  }

  /** Descriptor, media type inside and members must agree on what a document is (CVE-2021-41190). */
  #node({ mediaType, digest, size }: Entry): Node {
    try {
      const body = parsed(digest, this.#layout.blob(digest, size, LONGEST_MANIFEST)) as Partial<Manifest> & { mediaType?: unknown; manifests?: unknown };
      if (body.mediaType !== undefined && body.mediaType !== null && body.mediaType !== mediaType) return {};
      const isIndex = mediaType === INDEX || mediaType === DOCKER_LIST;
      const manifests = body.manifests ?? undefined;
      if (isIndex && !body.config && !body.layers) return { inner: (Array.isArray(manifests) ? manifests : []) as Entry[] };
      const layers = body.layers ?? [];
      if (isIndex || manifests !== undefined || !isEntry(body.config) || !Array.isArray(layers)) return {};
      return { manifest: { config: body.config, layers } };
    } catch {
      return {};
    }
  }
}

/** A document that was read; nothing for one that is not to be used. */
interface Node {
  manifest?: Manifest;
  inner?: Entry[];
}

interface Pair {
  diff: string;
  layer: Entry;
}

function remember(images: Map<string, Known>, pointer: Entry, manifest: Manifest): void {
  const { config } = manifest;
  if (!CONFIGS.includes(config.mediaType ?? '')) return;
  const known = images.get(config.digest) ?? { config, manifests: [], parent: undefined, built: 'unknown', entries: [] };
  known.manifests.push({ pointer, manifest });
  images.set(config.digest, known);
}

function isPointer(entry: Entry): boolean {
  const attestation = entry?.annotations?.['vnd.docker.reference.type'] !== undefined;
  return isEntry(entry) && !attestation && [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].includes(entry.mediaType ?? '');
}

function keyOf({ digest, size, mediaType }: Entry): string {
  return `${digest} ${size} ${mediaType}`;
}

/** Notes something of an image in its entries; one that has none, because it is in a nested index, gets one. */
function note(index: Index, id: string, known: Known, key: string, value: string): void {
  let entries = known.entries.map((at) => index.manifests[at] as Entry);
  const [first] = known.manifests;
  if (entries.length === 0 && first) {
    const { mediaType, digest, size } = first.pointer;
    const entry: Entry = { mediaType: mediaType as string, digest, size };
    index.manifests.push(entry);
    entries = [entry];
  }
  for (const entry of entries) {
    about(entry, id);
    annotate(entry, key, value);
  }
}

/** Notes about another image, which came with a copied entry, go. */
function about(entry: Entry, id: string): void {
  if (entry.annotations?.[IMAGE] === id) return;
  annotate(entry, PARENT, undefined);
  annotate(entry, BUILT_HERE, undefined);
  annotate(entry, IMAGE, id);
}

/** The same layer as an OCI manifest lists it. */
function asOci({ mediaType = '', digest, size, urls, annotations }: Entry): Entry {
  return { mediaType: LAYERS[mediaType] ?? mediaType, digest, size, ...(urls && { urls }), ...(annotations && { annotations }) };
}

function diffIdsOf(document: string): string[] {
  const invalid = (why: string) => new Failure('invalid', why);
  let ids: unknown;
  try {
    ids = (JSON.parse(document) as { rootfs?: { diff_ids?: unknown } }).rootfs?.diff_ids ?? [];
  } catch (thrown) {
    throw invalid(`the document is not an image config: ${(thrown as Error).message}`);
  }
  if (!Array.isArray(ids)) throw invalid('the document is not an image config');
  for (const id of ids) if (typeof id !== 'string' || !parseDigest(id)) throw invalid(`the document has ${JSON.stringify(id)} for a diff id`);
  return ids as string[];
}

function utf8(what: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Failure('corrupt', `${what} is not utf-8`);
  }
}

function attempt<T>(work: () => T): T | Failure {
  try {
    return work();
  } catch (thrown) {
    return failureOf(thrown);
  }
}

