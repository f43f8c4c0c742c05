// The images of an OCI image layout, as an image store.
//
// What this store knows more than the layout says is kept in annotations of the
// image's entries in `index.json`, which other tools hand through:
// `dev.layerwise.parent`, `dev.layerwise.built-here`, and with them
// `dev.layerwise.image`, the id of the image they are about. On an entry that a
// tool copied to another image they mean nothing, nor do they inside nested
// indexes, which come from elsewhere as a whole. Whether an image was built here is
// a keyed mark, see marks.ts: one that came with a layout means nothing.
//
// An entry that notes something of an image tells of that image even when its
// manifest is missing or damaged, or its own members are: the image is listed
// under its parent, and reading its document fails. Without such a note nothing
// says that there is an image; the entry is passed over, and what cannot be found
// names it. When the blobs cannot be looked up at all, all calls fail.
import { join } from 'node:path';
import { Failure, failureOf } from '../errors.js';
import type { Each, Images, ImageStore } from '../lent.js';
import { byBytes, parseDigest, quoted, sha256 } from './bytes.js';
import { annotate, DOCKER_LIST, DOCKER_MANIFEST, type Entry, INDEX, type Index, Layout, MANIFEST, REF_NAME } from './layout.js';
import { ELSEWHERE, Marks, userKeyFile } from './marks.js';
import { codeOf } from './places.js';
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

/** What the entries of an image note of it: facts that are in no blob. */
interface Notes {
  parent: string | undefined;
  /** What its entries say of whether it was built here, in their order. */
  marks: string[];
}

/** An image that an entry tells of and does not lead to. */
interface Unreadable extends Notes {
  /** Why its manifest cannot be read. */
  failure: Failure;
}

interface Known extends Notes {
  config: Entry;
  manifests: { pointer: Entry; manifest: Manifest }[];
  /** The positions of its own entries in `index.json`. */
  entries: number[];
}

interface Catalog {
  text: Buffer;
  index: Index;
  nodes: Map<string, Node>;
  images: Map<string, Known>;
  /** Images that entries tell of, of which no manifest can be read. */
  unreadable: Map<string, Unreadable>;
  /** What is reached from each entry of `index.json`. */
  reached: Reached[];
  /** Why something was passed over. */
  passed: Failure[];
}

interface Reached {
  ids: string[];
  /** The first on the way. */
  failure: Failure | undefined;
}

export interface LayoutOptions {
  /** The file with the key of marks: of images that were built here. */
  marksKey?: string;
  /** Opens it without a key, so that no mark holds. */
  noMarks?: boolean;
  /** A directory that the layout must lie below, without links on the way. */
  within?: string;
}

/** The images of a layout directory, readable and writable. */
export class LayoutImages implements ImageStore {
  readonly #layout: Layout;
  readonly #marks: Marks;
  #catalog: Catalog | undefined;

  constructor(root: string, { marksKey = userKeyFile(), noMarks = false, within }: LayoutOptions = {}) {
    this.#layout = new Layout(root, within);
    this.#marks = new Marks(noMarks ? undefined : marksKey);
    this.#now();
  }

  /** How many marks in the layout were not made here, and mean nothing. Once they were checked, `layerwise docker adopt` makes them anew. */
  ignoredMarks(): number {
    const { images, unreadable } = this.#now();
    return [...images, ...unreadable].flatMap(([id, { parent, marks }]) => marks.filter((mark) => !this.#marks.holds(id, parent, mark))).length;
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
      answers.push(attempt(() => this.#image(id, catalog.unreadable.get(id) ?? this.#known(catalog, id), want, limit)));
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
    const { images, unreadable } = this.#now();
    return [...images, ...unreadable].flatMap(([id, notes]) => (notes.parent === parent ? [id] : [])).sort(byBytes);
  }

  setParent(target: string, parent: string): void {
    this.#update((catalog, index) => {
      const known = this.#known(catalog, target);
      this.#known(catalog, parent);
      this.#putOn(index, target, known, parent);
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
        if (parent !== undefined) this.#putOn(index, id, known, parent);
        return;
      }
      const layers = diffIds.map((diffId, at) => this.#layer(catalog, from, diffId, at));
      const config = this.#layout.document(CONFIG, document);
      const manifest = this.#layout.document(MANIFEST, JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }));
      let own = index.manifests.filter((entry) => entry?.digest === manifest.digest);
      if (own.length === 0) {
        index.manifests.push(manifest);
        own = [manifest];
      }
      for (const entry of own) {
        about(entry, id);
        annotate(entry, PARENT, parent);
        annotate(entry, BUILT_HERE, ELSEWHERE);
      }
    });
    return id;
  }

  /** Notes whether an image was built here, which only the program that builds can know. The first mark of this user makes the key of marks. */
  setBuiltHere(id: string, builtHere: boolean): void {
    this.#update((catalog, index) => {
      const known = this.#known(catalog, id);
      note(index, id, known, BUILT_HERE, builtHere ? this.#marks.make(id, known.parent) : ELSEWHERE);
    });
  }

  /** Notes the parent of an image. A mark is one of an image on its parent, so those that hold are made anew. */
  #putOn(index: Index, id: string, known: Known, parent: string): void {
    const entries = known.entries.map((at) => index.manifests[at] as Entry);
    const marked = entries.filter((entry) => {
      const mark = noted(entry, BUILT_HERE);
      return noted(entry, IMAGE) === id && mark !== undefined && mark !== ELSEWHERE && parent !== known.parent && this.#marks.holds(id, known.parent, mark);
    });
    note(index, id, known, PARENT, parent);
    for (const entry of marked) annotate(entry, BUILT_HERE, this.#marks.make(id, parent));
  }

  #built(id: string, { parent, marks }: Notes): Images.Provenance {
    const deciding = this.#marks.deciding(id, parent, marks);
    if (deciding === undefined) return 'unknown';
    return deciding === ELSEWHERE ? 'elsewhere' : 'built-here';
  }

  /** The facts beside the document are in `index.json`, whatever became of its blobs. */
  #image(id: string, known: Known | Unreadable, want: Images.Facts, limit: bigint): Images.Image {
    const document = want.document ? this.#document(known, limit) : undefined;
    if (want.parent && known.parent !== undefined && !parseDigest(known.parent)) {
      throw new Failure('corrupt', `image ${quoted(id)} has ${quoted(known.parent)} for its parent, which is not an image id`);
    }
    return {
      id,
      document,
      parent: want.parent ? known.parent : undefined,
      built: want.built ? this.#built(id, known) : 'unknown',
    };
  }

  #document(known: Known | Unreadable, limit: bigint): string {
    if ('failure' in known) throw known.failure;
    const { digest, size } = known.config;
    const most = limit < BigInt(LONGEST_DOCUMENT) ? Number(limit) : LONGEST_DOCUMENT;
    return utf8(digest, this.#layout.blob(digest, size, most));
  }

  #known(catalog: Catalog, id: string): Known {
    if (!parseDigest(id)) throw new Failure('invalid', `${quoted(id)} is not an image id`);
    const lost = catalog.unreadable.get(id);
    if (lost) throw lost.failure;
    const known = catalog.images.get(id);
    if (!known) throw this.#unknown(catalog, id);
    return known;
  }

  #unknown(catalog: Catalog, text: string): Failure {
    return new Failure('not-found', `no image ${quoted(text)} in ${quoted(this.#layout.root)}${unread(catalog)}`);
  }

  /** An id or the digest of a manifest, a name, a name as Docker completes it, the beginning of an id. */
  #find(catalog: Catalog, text: string): string {
    const id = parseDigest(text) ? text : parseDigest(`sha256:${text}`) ? `sha256:${text}` : undefined;
    if (id) return catalog.images.has(id) || catalog.unreadable.has(id) ? id : this.#only(catalog, text, (entry) => entry?.digest === id);
    const full = parseReference(text)?.full;
    for (const [key, name] of [[REF_NAME, text], [FULL_NAME, text], [FULL_NAME, full]] as const) {
      const named = (entry: Entry) => name !== undefined && noted(entry, key) === name;
      if (catalog.index.manifests.some(named)) return this.#only(catalog, text, named);
    }
    const [, algorithm = '', hex = ''] = /^(?:([a-z0-9]+):)?([0-9a-f]+)$/.exec(text) ?? [];
    const found = hex === '' ? [] : [...catalog.images.keys(), ...catalog.unreadable.keys()].filter((id) => id.startsWith(`${algorithm}:${hex}`) || (algorithm === '' && id.split(':')[1]?.startsWith(hex)));
    if (found.length > 1) throw new Failure('not-found', `several image ids begin with ${quoted(text)}`);
    if (!found[0]) throw this.#unknown(catalog, text);
    return found[0];
  }

  #only(catalog: Catalog, text: string, matches: (entry: Entry) => boolean): string {
    const reached = catalog.reached.filter((_, at) => matches(catalog.index.manifests[at] as Entry));
    const ids = new Set(reached.flatMap(({ ids }) => ids));
    if (ids.size > 1) throw new Failure('invalid', `${quoted(text)} stands for ${ids.size} images: name one by its id`);
    const [id] = ids;
    if (!id) throw reached.find(({ failure }) => failure)?.failure ?? this.#unknown(catalog, text);
    return id;
  }

  /** The blob of a diff id: in the parent at the same place, else in any image, those built here first. */
  #layer(catalog: Catalog, from: Known | undefined, diffId: string, at: number): Entry {
    const there = ({ diff, layer }: Pair) => diff === diffId && this.#layout.present(layer.digest, layer.size);
    const same = (from ? this.#pairs(from) : [])[at];
    const found = same && there(same) ? same : this.#all(catalog).find(there);
    if (!found) throw new Failure('not-found', `no image of the layout has a layer with the diff id ${diffId}${unread(catalog)}`);
    return asOci(found.layer);
  }

  #all(catalog: Catalog): Pair[] {
    const pairs = [...catalog.images].flatMap(([id, known]) => this.#pairs(known).map((pair) => ({ ...pair, here: this.#built(id, known) === 'built-here' })));
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

  /** What could not be read is tried again each time. */
  #now(): Catalog {
    const { text, index } = this.#layout.index();
    const before = this.#catalog;
    if (before?.text.equals(text) && before.passed.length === 0) return before;
    return (this.#catalog = this.#read(text, index, before?.nodes));
  }

  #read(text: Buffer, index: Index, before: Map<string, Node> | undefined): Catalog {
    const catalog: Catalog = { text, index, nodes: new Map(), images: new Map(), unreadable: new Map(), reached: [], passed: [] };
    const targets = index.manifests.map((entry) => ({ entry, leads: attempt(() => leadsOn(entry)) }));
    for (const { entry, leads } of targets) {
      if (leads instanceof Failure) catalog.passed.push(leads);
      catalog.reached.push(leads === true ? this.#walk(catalog, entry, before) : { ids: [], failure: leads || undefined });
    }
    for (const [at, { entry, leads }] of targets.entries()) {
      if (leads !== false) this.#take(catalog, at, entry, leads === true ? catalog.nodes.get(keyOf(entry)) : { failure: leads });
    }
    catalog.images = new Map([...catalog.images].sort(([a], [b]) => byBytes(a, b)));
    return catalog;
  }

  /** Takes what an entry notes of an image. Whether that is the image it leads to cannot be told when it leads nowhere; it is then believed unless another entry leads to that image. */
  #take({ images, unreadable, reached }: Catalog, at: number, entry: Entry, node: Node | undefined): void {
    const about = noted(entry, IMAGE);
    const known = node?.manifest && images.get(node.manifest.config.digest);
    if (known) {
      known.entries.push(at);
      if (about === known.config.digest) take(known, entry);
    }
    if (!node?.failure || about === undefined || !parseDigest(about) || images.has(about)) return;
    // The image is not unknown: layouts may lack blobs, which are then to be had from elsewhere (OCI image layout, "Blobs").
    const code = node.failure.code === 'not-found' ? 'unavailable' : node.failure.code;
    const path = quoted(join(this.#layout.root, 'index.json'));
    const failure = new Failure(code, `the entry of image ${quoted(about)} in ${path} cannot be read: ${node.failure.message}`);
    const lost = unreadable.get(about) ?? { failure, parent: undefined, marks: [] };
    take(lost, entry);
    unreadable.set(about, lost);
    reached[at] = { ids: [], failure };
  }

  /** Reads what an entry leads to, breadth first, each thing once, and nothing that was read before. */
  #walk({ nodes, images, passed }: Catalog, from: Entry, before: Map<string, Node> | undefined): Reached {
    const ids = new Set<string>();
    const seen = new Set<string>();
    let failure: Failure | undefined;
    const waiting: Entry[] = [from];
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      const key = keyOf(entry);
      if (seen.has(key)) continue;
      seen.add(key);
      let node = nodes.get(key);
      if (!node) {
        if (nodes.size >= MOST_DOCUMENTS) throw new Failure('too-large', `the index leads to more than ${MOST_DOCUMENTS} manifests`);
        node = before?.get(key);
        if (!node || node.failure) node = this.#node(entry, passed);
        nodes.set(key, node);
        if (node.manifest) remember(images, entry, node.manifest);
      }
      if (node.manifest) ids.add(node.manifest.config.digest);
      failure ??= node.failure;
      waiting.push(...(node.inner ?? []));
    }
    return { ids: [...ids], failure };
  }

  /** One document is passed over, not all of them. */
  #node(entry: Entry, passed: Failure[]): Node {
    try {
      return this.#told(entry, passed);
    } catch (thrown) {
      const failure = failureOf(thrown);
      this.#layout.checkReachable(entry.digest);
      if (['EMFILE', 'ENFILE'].includes(String(codeOf(failure.cause)))) throw failure;
      passed.push(failure);
      return { failure };
    }
  }

  /** Descriptor, media type inside and members must agree on what a document is (CVE-2021-41190). */
  #told({ mediaType, digest, size }: Entry, passed: Failure[]): Node {
    const confused = (why: string) => new Failure('corrupt', `blob ${digest} is not a ${mediaType}: ${why}`);
    const bytes = this.#layout.blob(digest, size, LONGEST_MANIFEST);
    let body: { mediaType?: unknown; config?: unknown; layers?: unknown; manifests?: unknown };
    try {
      body = JSON.parse(bytes.toString('utf8')) ?? {};
    } catch (thrown) {
      throw confused((thrown as Error).message);
    }
    if ((body.mediaType ?? mediaType) !== mediaType) throw confused('its media type is not that of its descriptor');
    const { config, layers, manifests } = body;
    const isIndex = mediaType === INDEX || mediaType === DOCKER_LIST;
    const listed = (isIndex ? manifests : layers) ?? [];
    if (Array.isArray(listed)) {
      if (isIndex && !config && !layers) return { inner: listed.filter((entry) => followed(entry, passed)) };
      if (!isIndex && !manifests && isDescriptor(config) && listed.every(isDescriptor)) {
        if (!CONFIGS.includes(config.mediaType ?? '')) return {};
        checkDigest(config);
        return { manifest: { config, layers: listed } };
      }
    }
    throw confused('its members are not those of its media type');
  }
}

/** A document that was read; nothing for a manifest of something else than an image. */
interface Node {
  manifest?: Manifest;
  inner?: Entry[];
  failure?: Failure;
}

interface Pair {
  diff: string;
  layer: Entry;
}

function remember(images: Map<string, Known>, pointer: Entry, manifest: Manifest): void {
  const { config } = manifest;
  const known = images.get(config.digest) ?? { config, manifests: [], parent: undefined, marks: [], entries: [] };
  known.manifests.push({ pointer, manifest });
  images.set(config.digest, known);
}

/** Whether it leads on to images: other kinds of content do not. Fails for what should and cannot. */
function leadsOn(entry: unknown): boolean {
  if (!isDescriptor(entry)) throw new Failure('corrupt', 'an entry of the index is not a descriptor');
  const { mediaType = '' } = entry;
  if (noted(entry, 'vnd.docker.reference.type') !== undefined) return false;
  if (![MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].includes(mediaType)) {
    if (noted(entry, IMAGE) === undefined) return false;
    throw new Failure('corrupt', `a descriptor has ${quoted(mediaType)} for its media type`);
  }
  checkDigest(entry);
  return true;
}

/** The same for an entry of a nested index, which is passed over by itself. */
function followed(entry: unknown, passed: Failure[]): boolean {
  const answer = attempt(() => leadsOn(entry));
  if (answer instanceof Failure) passed.push(answer);
  return answer === true;
}

/** Whether it has the members of a descriptor; its digest is not checked yet. */
function isDescriptor(value: unknown): value is Entry {
  const { mediaType = '', digest, size } = (value ?? {}) as Partial<Entry>;
  return typeof mediaType === 'string' && typeof digest === 'string' && Number.isSafeInteger(size) && (size as number) >= 0;
}

function checkDigest({ digest }: Entry): void {
  if (!parseDigest(digest)) throw new Failure('corrupt', `a descriptor has ${quoted(digest)} for its digest`);
}

/** An annotation, also of something that is not a descriptor. */
function noted(entry: Entry | undefined, key: string): string | undefined {
  const text: unknown = entry?.annotations?.[key];
  return typeof text === 'string' ? text : undefined;
}

/** Takes what an entry notes, unless another one has said it already. */
function take(notes: Notes, entry: Entry): void {
  notes.parent ??= noted(entry, PARENT) || undefined;
  const mark = noted(entry, BUILT_HERE);
  if (mark !== undefined) notes.marks.push(mark);
}

/** What the message of a failure ends with that may be due to something that was passed over. */
function unread({ passed }: Catalog): string {
  return passed[0] ? `; ${passed.length} of its entries cannot be read: ${passed[0].message}` : '';
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

