// Layers: decompressed, checked and unpacked. A layer is held in memory, and
// nothing of it is unpacked before all of its names were looked at.
import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';
import { type ReadEntry, Parser, UnpackSync } from 'tar';
import { Failure } from '../errors.js';
import { quoted } from './bytes.js';

/** The most uncompressed bytes of a layer. */
const LONGEST = 1 << 30;
const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** The tar archive in a blob. What is called compressed but is not is taken as it is. */
export function unpacked(digest: string, mediaType: string, blob: Buffer): Buffer {
  const kind = mediaType.split(/[+.]/).at(-1);
  try {
    if (kind === 'gzip' && blob.subarray(0, 2).equals(GZIP)) return zlib.gunzipSync(blob, { maxOutputLength: LONGEST });
    if (kind === 'zstd' && blob.subarray(0, 4).equals(ZSTD)) return zstd(blob);
    return blob;
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    const tooLarge = (thrown as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    if (tooLarge) throw new Failure('too-large', `the layer has more than ${LONGEST} uncompressed bytes`);
    throw new Failure('corrupt', `cannot decompress ${digest}: ${(thrown as Error).message}`);
  }
}

function zstd(blob: Buffer): Buffer {
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (bytes: Buffer, options: object) => Buffer };
  if (!zstdDecompressSync) throw new Failure('unsupported', 'this version of node does not decompress zstd: 22.15 and later do');
  return zstdDecompressSync(blob, { maxOutputLength: LONGEST });
}

/** A tar archive compressed as a media type says. */
export function packed(mediaType: string, tar: Buffer): Buffer {
  const kind = mediaType.split(/[+.]/).at(-1);
  if (kind === 'gzip') return zlib.gzipSync(tar, { level: 9 });
  if (kind === 'tar' || kind === '') return tar;
  throw new Failure('unsupported', `no layer of the media type ${quoted(mediaType)} can be made from a tar file`);
}

/** The diff id of uncompressed bytes, in the algorithm of the wanted one. */
export function diffIdOf(tar: Buffer, wanted: string | undefined): string {
  const algorithm = wanted?.split(':')[0] ?? 'sha256';
  return `${algorithm}:${createHash(algorithm).update(tar).digest('hex')}`;
}

/**
 * Unpacks an archive into a directory, where every entry must stay below the
 * prefix; otherwise nothing is unpacked.
 */
export function unpackInto(directory: string, prefix: string, tar: Buffer): void {
  const wanted = partsOf(prefix, 'the prefix');
  const above = new Set<string>();
  each(tar, (entry) => {
    const parts = partsOf(entry.path, quoted(entry.path));
    const inside = wanted.every((part, index) => parts[index] === part);
    if (!inside && !parts.every((part, index) => wanted[index] === part)) throw denied(entry.path, prefix);
    if (!inside && entry.type !== 'Directory') throw denied(entry.path, prefix);
    if (!inside) above.add(entry.path);
    if (entry.type === 'Link') {
      const target = partsOf(entry.linkpath ?? '', quoted(entry.path));
      if (!wanted.every((part, index) => target[index] === part)) throw denied(entry.path, prefix);
    }
    if (entry.type === 'SymbolicLink' && !stays(parts, entry.linkpath ?? '', wanted)) throw denied(entry.path, prefix);
    if (!['File', 'OldFile', 'ContiguousFile', 'Directory', 'Link', 'SymbolicLink'].includes(entry.type)) {
      throw new Failure('denied', `${quoted(entry.path)} is a ${entry.type} and not unpacked`);
    }
  });
  const unpack = new UnpackSync({ cwd: directory, strict: true, preservePaths: false, filter: (path) => !above.has(path) });
  let problem: unknown;
  unpack.on('error', (error: unknown) => (problem ??= error));
  unpack.end(tar);
  if (problem) throw problem;
}

function each(tar: Buffer, look: (entry: ReadEntry) => void): void {
  let problem: unknown;
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      try {
        if (!problem) look(entry);
      } catch (thrown) {
        problem = thrown;
      }
      entry.resume();
    },
  });
  parser.on('error', (error: unknown) => (problem ??= new Failure('corrupt', `the layer is not a tar archive: ${(error as Error).message}`)));
  parser.end(tar);
  if (problem) throw problem;
}

function partsOf(path: string, what: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Failure('denied', `${what} has ".." in it`);
  return parts;
}

/** Whether a symbolic link stays below the prefix; `..` is accepted at its beginning only. */
function stays(link: readonly string[], target: string, wanted: readonly string[]): boolean {
  if (target.startsWith('/')) return false;
  const at = link.slice(0, -1);
  let named = false;
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (named || at.length === 0) return false;
      at.pop();
    } else {
      named = true;
      at.push(part);
    }
  }
  return wanted.every((part, index) => at[index] === part);
}

function denied(path: string, prefix: string): Failure {
  return new Failure('denied', `${quoted(path)} leads out of ${quoted(prefix)}: nothing of the layer is unpacked`);
}
