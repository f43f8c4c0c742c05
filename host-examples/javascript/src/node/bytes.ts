// Bytes and text: names that need not be UTF-8, and digests.
import { createHash, getHashes } from 'node:crypto';
import { Failure } from '../errors.js';

/** SHA-256 as a digest. */
export function sha256(bytes: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const HEX: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** A digest in its parts; nothing when the text is none. */
export function parseDigest(text: string): { algorithm: string; hex: string } | undefined {
  const [, algorithm = '', hex = ''] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(text) ?? [];
  return HEX[algorithm] === hex.length && hex !== '' ? { algorithm, hex } : undefined;
}

/** A digest that was given as an argument. */
export function digestOf(text: string): { algorithm: string; hex: string } {
  const digest = parseDigest(text);
  if (!digest) throw new Failure('invalid', `${quoted(text)} is not a digest`);
  return digest;
}

/** Whether bytes have a digest. */
export function verifies(digest: string, bytes: Uint8Array): boolean {
  const { algorithm, hex } = digestOf(digest);
  return getHashes().includes(algorithm) && createHash(algorithm).update(bytes).digest('hex') === hex;
}

/** Text of a user or a file in a message. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Order by code points, which is that of UTF-8 bytes. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * The text for a name: bytes that are not part of valid UTF-8 are `%XX`, and
 * `%` is `%25`.
 */
export function encode(bytes: Buffer): string {
  return spelled(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`, (text) => text.replaceAll('%', '%25')).text;
}

/** The bytes of a name; each has one text, so that nothing hides behind a `%`. */
export function decode(text: string): Buffer {
  const parts = text.split('%');
  const bytes = Buffer.concat(
    parts.map((part, index) =>
      index === 0 ? Buffer.from(part) : Buffer.concat([Buffer.from(part.slice(0, 2), 'hex'), Buffer.from(part.slice(2))]),
    ),
  );
  if (encode(bytes) !== text) throw new Failure('invalid', 'a % in it is not followed by 25 or by a byte that is not utf-8');
  return bytes;
}

/** The text of a file, with one U+FFFD for each byte that is not part of valid UTF-8. */
export function lossy(bytes: Buffer): { text: string; lossy: boolean } {
  return spelled(bytes, () => '\uFFFD', (text) => text);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function spelled(bytes: Buffer, invalid: (byte: number) => string, valid: (text: string) => string): { text: string; lossy: boolean } {
  try {
    return { text: valid(strict.decode(bytes)), lossy: false };
  } catch {
    let text = '';
    let from = 0;
    for (let at = 0; at < bytes.length; ) {
      const length = sequence(bytes, at);
      if (length === 0) {
        text += valid(bytes.toString('utf8', from, at)) + invalid(bytes[at] as number);
        from = ++at;
      } else at += length;
    }
    return { text: text + valid(bytes.toString('utf8', from)), lossy: true };
  }
}

/** The length of the valid sequence at a place; 0 if there is none. */
function sequence(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}
