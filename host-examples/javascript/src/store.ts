// An image store in memory, for tests, demonstrations and pages.
import { Failure } from './errors.js';
import type { Each, Images, ImageStore } from './lent.js';

interface Kept {
  document: string;
  parent: string | undefined;
  built: Images.Provenance;
}

/** Images by their ids; in ascending order wherever order can be seen. */
export class Memory implements ImageStore {
  readonly #images = new Map<string, Kept>();
  readonly #names = new Map<string, string>();
  readonly #digest: (text: string) => string;

  /** `digest` tells the id of a document: `sha256:` and 64 hex digits. */
  constructor(digest: (text: string) => string) {
    this.#digest = digest;
  }

  /** Adds an image and returns its id. */
  add(document: string, { parent, built = 'unknown', name }: { parent?: string; built?: Images.Provenance; name?: string } = {}): string {
    const id = this.#digest(document);
    this.#images.set(id, { document, parent, built });
    if (name !== undefined) this.#names.set(name, id);
    return id;
  }

  get(ids: string[], want: Images.Facts, limit: bigint): Each<Images.Image> {
    const answers: (Images.Image | Failure)[] = [];
    let room = limit;
    for (const id of ids) {
      const kept = this.#images.get(id);
      const size = kept && want.document ? BigInt(new TextEncoder().encode(kept.document).length) : 0n;
      if (size > limit) answers.push(new Failure('too-large', `the document of ${id} has ${size} bytes, more than the limit of ${limit}`));
      else if (size > room) break;
      else answers.push(kept ? image(id, kept, want) : unknown(id));
      room -= size > limit ? 0n : size;
    }
    return answers;
  }

  resolve(references: string[], limit: bigint): Each<Images.Image> {
    return references.map((reference) => {
      const id = this.#names.get(reference) ?? reference;
      return this.get([id], { document: true }, limit)[0] ?? unknown(reference);
    });
  }

  children(parent: string | undefined): readonly string[] {
    return [...this.#images].flatMap(([id, kept]) => (kept.parent === parent ? [id] : [])).sort();
  }

  setParent(target: string, parent: string): void {
    const kept = this.#images.get(target);
    if (!kept) throw unknown(target);
    if (!this.#images.has(parent)) throw unknown(parent);
    kept.parent = parent;
  }

  create(parent: string | undefined, document: string): string {
    const known = this.#images.get(this.#digest(document));
    return this.add(document, { parent: parent ?? known?.parent, built: known?.built ?? 'elsewhere' });
  }
}

function image(id: string, kept: Kept, want: Images.Facts): Images.Image {
  return {
    id,
    document: want.document ? kept.document : undefined,
    parent: want.parent ? kept.parent : undefined,
    built: want.built ? kept.built : 'unknown',
  };
}

function unknown(id: string): Failure {
  return new Failure('not-found', `no image ${JSON.stringify(id)}`);
}
