// A smaller memory for the component. The module says itself how much memory it
// may have, so the cap is written into the module before it is compiled.

const PAGE = 65_536;
const MEMORY_SECTION = 5;
const HEADER = 8;

/**
 * The module with at most this many bytes of memory; modules without a memory,
 * and those with a smaller one, stay as they are.
 *
 * Throws a `RangeError` when the module needs more to begin with.
 */
export function capped(module: BufferSource, most: number): Uint8Array<ArrayBuffer> {
  const bytes = ArrayBuffer.isView(module)
    ? new Uint8Array(module.buffer as ArrayBuffer, module.byteOffset, module.byteLength)
    : new Uint8Array(module);
  const pages = Math.floor(most / PAGE);
  for (let at = HEADER; at < bytes.length; ) {
    const id = bytes[at];
    const [size, start] = number(bytes, at + 1);
    if (id === MEMORY_SECTION) {
      const [, flags] = number(bytes, start);
      const [least, afterLeast] = number(bytes, flags + 1);
      if (pages < least) throw new RangeError(`the component needs at least ${least * PAGE} bytes of memory, not ${most}`);
      const limited = ((bytes[flags] as number) & 1) === 1;
      if (limited && number(bytes, afterLeast)[0] <= pages) return bytes;
      const body = [1, (bytes[flags] as number) | 1, ...encoded(least), ...encoded(pages)];
      const section = [MEMORY_SECTION, ...encoded(body.length), ...body];
      return joined(bytes.subarray(0, at), Uint8Array.from(section), bytes.subarray(start + size));
    }
    at = start + size;
  }
  return bytes;
}

/** A LEB128 number and where it ends. */
function number(bytes: Uint8Array, from: number): [value: number, end: number] {
  let value = 0;
  for (let at = from, factor = 1; ; at++, factor *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 127) * factor;
    if (byte < 128) return [value, at + 1];
  }
}

function encoded(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...encoded(Math.floor(value / 128))];
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
