// A file as somebody has it: unpacked if it is gzip, and an OCI image layout if
// it is a tar of one, as `.dockerbuild` files are. Nothing is written anywhere,
// and what the parts of a layout mean is the component's affair.
import { Failure, failureOf } from './errors.js';
import type { Registry, Types } from './lent.js';

/** Bytes of an unpacked file. */
const MOST = 256 * 2 ** 20;
/** Entries of a tar. */
const MOST_ENTRIES = 100_000;
const BLOCK = 512;

/** An OCI image layout in memory. */
export class Layout {
  constructor(
    /** `index.json`. */
    readonly index: string,
    readonly blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  ) {}

  /** A blob, which has the digest that it is named by. Throws a `Failure`. */
  async blob({ digest }: Pick<Types.Descriptor, 'digest'>): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = this.#known(digest);
    if (!digest.startsWith('sha256:')) throw new Failure('unsupported', `${digest}: only sha256 is checked here`);
    if (!globalThis.crypto?.subtle) throw new Failure('unsupported', 'digests cannot be checked here: open the page from a file, from localhost or over https');
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    if (`sha256:${hex(sum)}` !== digest) throw new Failure('corrupt', `the bytes of ${digest} have another digest`);
    return bytes;
  }

  /** The layout as a registry to lend: documents are read from it, and checked by the component. */
  registry(): Pick<Registry, 'read' | 'has'> {
    return {
      read: (_, wanted, limit) =>
        wanted.map(({ digest }) => {
          try {
            const bytes = this.#known(digest);
            return BigInt(bytes.length) > limit ? new Failure('too-large', `${digest} has ${bytes.length} bytes`) : utf8(bytes, digest);
          } catch (thrown) {
            return failureOf(thrown);
          }
        }),
      has: (_, digests) => digests.map((digest) => (this.blobs.has(digest) ? 'present' : 'absent')),
    };
  }

  #known(digest: string): Uint8Array<ArrayBuffer> {
    const bytes = this.blobs.get(digest);
    if (!bytes) throw new Failure('not-found', `${digest} is missing in the file`);
    return bytes;
  }
}

/** Opens the bytes of a file: a layout, or text. Throws a `Failure` for anything else. */
export async function openFile(bytes: Uint8Array<ArrayBuffer>): Promise<Layout | string> {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? await unpacked(bytes) : bytes;
  return ascii(plain.subarray(257, 262)) === 'ustar' ? layout(plain) : utf8(plain, 'the file');
}

/** The text of UTF-8. Throws a `Failure` that names what it is of. */
export function utf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Failure('corrupt', `${what} is neither a record of a build nor text: it is not utf-8`);
  }
}

async function unpacked(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw new Failure('corrupt', 'the file is damaged: it cannot be unpacked', { cause: error });
    });
    if (done) break;
    size += value.length;
    parts.push(value);
    if (size > MOST) {
      await reader.cancel();
      throw new Failure('too-large', `the file has more than ${MOST} bytes, unpacked`);
    }
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Only names in the header itself count, so that no entry can make another one mean something else. */
function layout(tar: Uint8Array<ArrayBuffer>): Layout {
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  let index: string | undefined;
  let entries = 0;
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    if (++entries > MOST_ENTRIES) throw new Failure('too-large', `the tar has more than ${MOST_ENTRIES} entries`);
    const header = tar.subarray(at, at + BLOCK);
    const digits = ascii(header.subarray(124, 136)).trim();
    const size = /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
    const start = at + BLOCK;
    if (!(start + size <= tar.length)) throw new Failure('truncated', `the tar is damaged at byte ${at}`);
    const type = header[156] as number;
    if (type === 0 || type === 0x30) {
      const [name, prefix] = [ascii(header.subarray(0, 100)), ascii(header.subarray(345, 500))];
      const path = (prefix ? `${prefix}/${name}` : name).replace(/^\.\//, '');
      const content = tar.subarray(start, start + size);
      if (path === 'index.json') index = utf8(content, path);
      else if (path.startsWith('blobs/')) blobs.set(path.slice('blobs/'.length).replace('/', ':'), content);
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  if (index === undefined) throw new Failure('invalid', 'it is a tar without index.json, and so neither the record of a build nor a cache');
  return new Layout(index, blobs);
}

function ascii(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder('latin1').decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
