// Transcripts: every call of an instance with its imports, as JSON, and playing
// them again. A replay needs no store and must give the same answers.
import type { Engine } from './engine.js';
import { LayerwiseError } from './errors.js';
import { type Func, Handles, type Type } from './values.js';

/** What the strings of one call come to, and those of all calls, with so many bytes for each of the document. */
const LARGEST_CALL = 64 * 2 ** 20;
const FREE = 16 * 2 ** 20;
const FOR_EACH = 32;

export interface Transcript {
  schema: 'layerwise/transcript/1';
  component: string;
  strings: string[];
  instances: { name: string; calls: (Call | Drop)[] }[];
}

/** A call; what it returns is absent where the function returns nothing. */
export interface Call {
  call: string;
  args: unknown[];
  result?: unknown;
  imports?: Omit<Call, 'imports'>[];
}

/** The host gives a resource back. */
export interface Drop {
  drop: number;
}

/** An instance that went another way than its transcript. */
export interface Mismatch {
  name: string;
  expected: string;
  actual: string;
}

/** The transcript in a JSON text. Throws a `TypeError` if it is not one, or its strings come to too much. */
export function transcriptOf(text: string): Transcript {
  const found = JSON.parse(text) as Partial<Transcript> | null;
  if (found?.schema !== 'layerwise/transcript/1' || !Array.isArray(found.instances)) {
    throw new TypeError(`not a transcript: its schema is ${JSON.stringify(found?.schema)}, expected "layerwise/transcript/1"`);
  }
  const transcript = { ...found, strings: found.strings ?? [] } as Transcript;
  countStrings(transcript.instances, transcript.strings, text.length);
  return transcript;
}

/** Refuses a transcript, of a document of so many bytes, whose strings come to too much. */
function countStrings(instances: readonly { calls: readonly unknown[] }[], strings: readonly string[], size: number): void {
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

/** Plays every instance again and tells those that differ. */
export function* compare(engine: Engine, { component, instances, strings }: Transcript): Generator<{ name: string; mismatch?: Mismatch }> {
  const { wit } = engine.values;
  if (component !== wit.package) throw new TypeError(`the transcript is of ${component}, and this is ${wit.package}`);
  for (const { name, calls } of instances) {
    const mismatch = new Replay(engine, strings).run(calls);
    yield mismatch ? { name, mismatch: { name, ...mismatch } } : { name };
  }
}

/** One instance, played again. */
class Replay {
  readonly #handles = new Handles();
  #imports: Omit<Call, 'imports'>[] = [];
  #difference: Omit<Mismatch, 'name'> | undefined;

  constructor(
    readonly engine: Engine,
    readonly strings: readonly string[],
  ) {}

  run(calls: readonly (Call | Drop)[]): Omit<Mismatch, 'name'> | undefined {
    const instance = this.engine.answering((name, place, func, args) => this.#answer(`${place}#${name}`, func, args));
    try {
      for (const call of calls) {
        if ('drop' in call) instance.drop(this.#handles.resource(call.drop));
        else this.#call(instance, call);
        if (this.#difference) break;
      }
    } catch (thrown) {
      if (!(thrown instanceof LayerwiseError || thrown instanceof TypeError || thrown instanceof RangeError)) throw thrown;
      this.#difference ??= { expected: 'an answer', actual: thrown.message };
    } finally {
      instance.close();
    }
    return this.#difference;
  }

  #call(instance: ReturnType<Engine['answering']>, { call, args, result, imports }: Call): void {
    const { func, place, name } = functionOf(this.engine, call);
    const given = this.#read(func.params.map(([, type]) => type), args, call);
    this.#imports = [...(imports ?? [])];
    const answer = instance.call(place, name, given);
    if (this.#difference) return;
    const written = func.result === null ? undefined : this.engine.values.toJson(func.result, answer, this.#handles);
    const expected = expand(result, this.strings);
    if (!same(written, expected)) this.#difference = differing(call, expected, written);
    const [left] = this.#imports;
    if (left) this.#difference ??= differing(call, left, 'no further import');
  }

  #answer(name: string, func: Func, args: unknown[]): unknown {
    const next = this.#imports.shift();
    const written = func.params.map(([, type], index) => this.engine.values.toJson(type, args[index], this.#handles));
    const wanted = next && { call: next.call, args: expand(next.args, this.strings) };
    if (!next || !same(wanted, { call: name, args: written })) {
      this.#difference ??= differing('an import', wanted ?? 'no further import', { call: name, args: written });
      throw new TypeError('the component went another way than the transcript');
    }
    if (func.result === null) return undefined;
    const answer = this.engine.values.fromJson(func.result, expand(next.result, this.strings), this.#handles, name);
    if (!Array.isArray(func.result) || func.result[0] !== 'result') return answer;
    const { tag, val } = answer as { tag: string; val: unknown };
    if (tag === 'err') throw { payload: val };
    return val;
  }

  #read(types: Type[], args: readonly unknown[], call: string): unknown[] {
    if (args.length !== types.length) throw new TypeError(`${call} takes ${types.length} arguments, not ${args.length}`);
    return types.map((type, index) => this.engine.values.fromJson(type, expand(args[index], this.strings), this.#handles, `${call} ${index}`));
  }
}

/** The function behind a name such as `docker#[method]session.lookup`. */
export function functionOf(engine: Engine, call: string): { func: Func; place: string; name: string } {
  const [place, name] = call.split(/#(.*)/s, 2) as [string, string | undefined];
  const found = engine.values.wit.exports.includes(place) ? engine.values.wit.interfaces[place]?.functions[name ?? ''] : undefined;
  if (!found || name === undefined) throw new TypeError(`the component has no function ${call}`);
  return { func: found, place, name };
}

/** The value with every `{"$": n}` replaced by string n of the table. */
function expand(value: unknown, strings: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => expand(item, strings));
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]?.[0] === '$') {
    const text = strings[entries[0][1] as number];
    if (text === undefined) throw new TypeError(`the transcript has no string ${String(entries[0][1])}`);
    return text;
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, expand(item, strings)]));
}

/** Whether two JSON values are the same, whatever the order of members. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]));
  }
  const left = Object.keys(a);
  return left.length === Object.keys(b).length && left.every((key) => Object.hasOwn(b, key) && same(a[key as never], b[key as never]));
}

function differing(call: string, expected: unknown, actual: unknown): Omit<Mismatch, 'name'> {
  return { expected: `${call}: ${text(expected)}`, actual: text(actual) };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}
