// Links that hold what they open: in the fragment of the address, which browsers
// send to nobody.

/** @typedef {import('./side.js').Given} Given */
/** @typedef {{ have: Given | undefined, want: Given | undefined }} Sides */

const PREFIX = '#files=';
/** Browsers take addresses of 2 MiB. */
const LONGEST = 1.5 * 2 ** 20;
/** Bytes that a link may unpack to. */
const MOST = 64 * 2 ** 20;

/**
 * The fragment that opens these files; nothing if they are too large for one.
 * @param {Given | undefined} have
 * @param {Given | undefined} want
 */
export async function asLink(have, want) {
  const sides = [have, want].map((side) => ({ name: side?.name ?? '', size: side ? side.bytes.length : -1 }));
  const plain = new Blob([`${JSON.stringify(sides)}\n`, have?.bytes ?? '', want?.bytes ?? '']);
  if (plain.size > MOST) return undefined;
  const packed = new Uint8Array(await new Response(plain.stream().pipeThrough(new CompressionStream('deflate-raw'))).arrayBuffer());
  const text = base64(packed).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return text.length > LONGEST ? undefined : `${PREFIX}${text}`;
}

/**
 * What a fragment holds; nothing if it is another kind of fragment. Throws if it is damaged.
 * @param {string} fragment
 * @returns {Promise<Sides | undefined>}
 */
export async function ofLink(fragment) {
  if (!fragment.startsWith(PREFIX)) return undefined;
  const text = fragment.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/');
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const plain = await unpacked(packed);
  const end = plain.indexOf(0x0a);
  /** @type {{ name: string, size: number }[]} */
  const sides = JSON.parse(new TextDecoder().decode(plain.subarray(0, end)));
  let at = end + 1;
  const [have, want] = sides.map(({ name, size }) => {
    if (size < 0) return undefined;
    const bytes = plain.slice(at, (at += size));
    if (bytes.length !== size) throw new RangeError('the link ends early');
    return { name: String(name), bytes };
  });
  return { have, want };
}

/** @param {Uint8Array<ArrayBuffer>} packed */
async function unpacked(packed) {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  let size = 0;
  for (let { done, value } = await reader.read(); !done && value; { done, value } = await reader.read()) {
    size += value.length;
    if (size > MOST) throw new RangeError('the link holds too much');
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
