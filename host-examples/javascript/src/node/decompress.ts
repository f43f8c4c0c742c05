// The bytes of a layer as they are uncompressed, in memory and limited. Nothing
// here looks into archives: this package neither unpacks nor packs layers.
import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';
import { Failure } from '../errors.js';

/** The most bytes of a layer, as it is stored and uncompressed. */
export const LAYER_BYTES = 2 ** 30;
/** The most uncompressed bytes for each byte of a blob, after the first ones: what came is held in memory. */
const LAYER_RATIO = 100;
const FREE = 64 * 2 ** 20;
const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** The tar archive in a blob. What is called compressed but is not is taken as it is. */
export function uncompressed(digest: string, mediaType: string, blob: Buffer): Buffer {
  const kind = mediaType.split(/[+.]/).at(-1);
  const most = Math.min(LAYER_BYTES, Math.max(FREE, LAYER_RATIO * blob.length));
  try {
    if (kind === 'gzip' && blob.subarray(0, 2).equals(GZIP)) return zlib.gunzipSync(blob, { maxOutputLength: most });
    if (kind === 'zstd' && blob.subarray(0, 4).equals(ZSTD)) return zstd(blob, most);
    return blob;
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    const tooLarge = (thrown as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    const limit = most === LAYER_BYTES ? 'layer-bytes' : 'layer-ratio';
    if (tooLarge) throw new Failure('too-large', `the layer ${digest} has more than ${most} uncompressed bytes (limit ${limit})`);
    throw new Failure('corrupt', `cannot decompress ${digest}: ${(thrown as Error).message}`);
  }
}

function zstd(blob: Buffer, most: number): Buffer {
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (bytes: Buffer, options: object) => Buffer };
  if (!zstdDecompressSync) throw new Failure('unsupported', 'this version of node does not decompress zstd: 22.15 and later do');
  return zstdDecompressSync(blob, { maxOutputLength: most });
}

/** Refuses a blob at once that says it is too large. */
export function checkSize(digest: string, size: bigint): void {
  if (size > LAYER_BYTES) throw new Failure('too-large', `${digest} has ${size} bytes, more than the limit layer-bytes of ${LAYER_BYTES}`);
}

/** The diff id of uncompressed bytes, in the algorithm of the wanted one. */
export function diffIdOf(tar: Buffer, wanted: string | undefined): string {
  const algorithm = wanted?.split(':')[0] ?? 'sha256';
  return `${algorithm}:${createHash(algorithm).update(tar).digest('hex')}`;
}
