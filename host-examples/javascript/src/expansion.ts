// What the strings of a transcript come to, counted before any of them is put in
// its place: one string that many places refer to takes little in the file.

/** What the strings of one call come to, and those of all calls, with so many bytes for each of the document. */
const LARGEST_CALL = 64 * 2 ** 20;
const FREE = 16 * 2 ** 20;
const FOR_EACH = 32;

/** Refuses a transcript, of a document of so many bytes, whose strings come to too much. */
export function countStrings(instances: readonly { calls: readonly unknown[] }[], strings: readonly string[], size: number): void {
  const most = FREE + FOR_EACH * size;
  let all = 0;
  for (const { calls } of instances) {
    for (const call of calls) {
      const own = sizeOf(call, strings);
      if (own > LARGEST_CALL) throw new TypeError(`the transcript is refused: the strings of a call come to more than ${LARGEST_CALL} bytes`);
      all += own;
      if (all > most) throw new TypeError(`the transcript is refused: the strings of its calls come to more than ${most} bytes`);
    }
  }
}

/** The length of the strings that a call refers to; no more than is needed to see that they are too many. */
function sizeOf(call: unknown, strings: readonly string[]): number {
  let size = 0;
  const waiting: unknown[] = [call];
  while (waiting.length > 0 && size <= LARGEST_CALL) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    const members = Object.entries(value);
    if (!Array.isArray(value) && members.length === 1 && members[0]?.[0] === '$') size += strings[members[0][1] as number]?.length ?? 0;
    else for (const [, member] of members) waiting.push(member);
  }
  return size;
}
