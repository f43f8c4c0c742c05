// What the strings of a transcript come to, counted before any of them is put in
// its place: one string that many places refer to takes little in the file.

/** What the strings of one call come to, and those of all calls. */
const LARGEST_CALL = 64 * 2 ** 20;
const LARGEST_ALL = 2 ** 30;

/** Refuses a transcript whose strings come to too much. */
export function countStrings(instances: readonly { calls: readonly unknown[] }[], strings: readonly string[]): void {
  let all = 0;
  for (const { calls } of instances) {
    for (const call of calls) {
      const size = sizeOf(call, strings);
      if (size > LARGEST_CALL) throw new TypeError(`the transcript is refused: the strings of a call come to more than ${LARGEST_CALL} bytes`);
      all += size;
      if (all > LARGEST_ALL) throw new TypeError(`the transcript is refused: the strings of its calls come to more than ${LARGEST_ALL} bytes`);
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
