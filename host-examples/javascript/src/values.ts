// Values of the component by their WIT types: checked and completed before they
// cross, and written as JSON for transcripts and scenarios. This is the only
// file that walks types.

/** A primitive's name, `INTERFACE/NAME`, or `[constructor, argument, …]`. */
export type Type = string | readonly [string, ...(Type | null)[]];

/** A named type; exactly one of the kinds is there. */
export interface Definition {
  readonly alias?: Type;
  readonly record?: readonly (readonly [string, Type])[];
  readonly variant?: readonly (readonly [string, Type | null])[];
  readonly enum?: readonly string[];
  readonly flags?: readonly string[];
  readonly resource?: true;
}

export interface Func {
  readonly name: string;
  readonly params: readonly (readonly [string, Type])[];
  readonly result: Type | null;
}

/** Everything the WIT files say. */
export interface Wit {
  /** Such as `layerwise:cache@0.1.0`. */
  readonly package: string;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  readonly interfaces: Readonly<Record<string, { resources: readonly string[]; functions: Readonly<Record<string, Func>> }>>;
  readonly types: Readonly<Record<string, Definition>>;
}

/** The numbers of the resources of an instance, in the order they appeared. */
export class Handles {
  readonly #known: object[] = [];

  /** The number of a resource; a new one gets the next. */
  number(resource: object): number {
    const at = this.#known.indexOf(resource);
    return at >= 0 ? at : this.#known.push(resource) - 1;
  }

  resource(number: number): object {
    const found = this.#known[number];
    if (!found) throw new TypeError(`there is no resource ${number}`);
    return found;
  }
}

interface Integer {
  readonly low: bigint;
  readonly high: bigint;
}

const INTEGERS: Readonly<Record<string, Integer>> = Object.fromEntries(
  [8n, 16n, 32n, 64n].flatMap((bits) => [
    [`u${bits}`, { low: 0n, high: 2n ** bits - 1n }],
    [`s${bits}`, { low: -(2n ** (bits - 1n)), high: 2n ** (bits - 1n) - 1n }],
  ]),
);

/**
 * What is taken where the caller said nothing. All of these are the careful
 * choice, or the usual one.
 */
const UNSAID: Readonly<Record<string, unknown>> = {
  'types/reading': 'guarded',
  'docker/store-kind': 'graph-driver',
  'stacker/epoch': { tag: 'unstated' },
};

/** `media-type` as JavaScript names it: `mediaType`. */
export function camel(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Walks the types of one WIT package. */
export class Values {
  constructor(readonly wit: Wit) {}

  /** A named type without its other names. */
  definition(type: Type): Definition | undefined {
    let found = typeof type === 'string' ? this.wit.types[type] : undefined;
    while (typeof found?.alias === 'string' && found.alias in this.wit.types) found = this.wit.types[found.alias];
    return found;
  }

  /**
   * The value as the component takes it. Members of records that were left out
   * become empty or absent; members that have no empty value must be there.
   * Integers may be numbers or bigints and are never cut to fit.
   *
   * Throws a `TypeError` or `RangeError` that names the place.
   */
  complete(type: Type, value: unknown, at: string): unknown {
    if (typeof type !== 'string') return this.#completeBuilt(type, value, at);
    if (type === 'string') {
      if (value === undefined) return '';
      return typeof value === 'string' ? value : wrong(at, 'a string', value);
    }
    if (type === 'bool') {
      if (value === undefined) return false;
      return typeof value === 'boolean' ? value : wrong(at, 'a boolean', value);
    }
    if (INTEGERS[type]) return integer(type, value, at);
    const known = this.definition(type);
    if (!known) return value;
    if (known.alias !== undefined) return this.complete(known.alias, value, at);
    if (value === undefined && type in UNSAID) return UNSAID[type];
    if (known.record) {
      const given = members(value ?? {}, at);
      for (const name of Object.keys(given)) {
        if (!known.record.some(([known]) => camel(known) === name)) throw new TypeError(`${at} has no member ${name}`);
      }
      return Object.fromEntries(
        known.record.map(([name, member]) => [camel(name), this.complete(member, given[camel(name)], `${at}.${camel(name)}`)]),
      );
    }
    if (known.flags) {
      const given = members(value ?? {}, at);
      for (const [name, set] of Object.entries(given)) {
        if (!known.flags.some((flag) => camel(flag) === name)) throw new TypeError(`${at} has no flag ${name}`);
        if (typeof set !== 'boolean' && set !== undefined) wrong(`${at}.${name}`, 'a boolean', set);
      }
      return given;
    }
    if (known.enum) return known.enum.includes(value as string) ? value : wrong(at, `one of ${known.enum.join(', ')}`, value);
    if (known.variant) {
      const { tag, val } = members(value, at);
      const found = known.variant.find(([name]) => name === tag);
      if (!found) return wrong(at, `a tag of ${known.variant.map(([name]) => name).join(', ')}`, tag);
      return found[1] === null ? { tag } : { tag, val: this.complete(found[1], val, `${at}.${String(tag)}`) };
    }
    return value;
  }

  #completeBuilt([built, ...args]: readonly [string, ...(Type | null)[]], value: unknown, at: string): unknown {
    const of = (index: number) => args[index] ?? 'nothing';
    switch (built) {
      case 'option':
        return value === undefined || value === null ? undefined : this.complete(of(0), value, at);
      case 'list':
        if (value === undefined) return [];
        if (!Array.isArray(value)) return wrong(at, 'a list', value);
        return value.map((item, index) => this.complete(of(0), required(of(0), item, `${at}[${index}]`), `${at}[${index}]`));
      case 'tuple':
        if (!Array.isArray(value) || value.length !== args.length) return wrong(at, `a list of ${args.length}`, value);
        return value.map((item, index) => this.complete(of(index), item, `${at}[${index}]`));
      case 'result': {
        const { tag, val } = members(value, at);
        if (tag !== 'ok' && tag !== 'err') return wrong(at, 'a result', value);
        const side = args[tag === 'ok' ? 0 : 1];
        return side ? { tag, val: this.complete(side, val, at) } : { tag, val: undefined };
      }
      default:
        return value;
    }
  }

  /** The JSON of a value that the component gave or took. */
  toJson(type: Type, value: unknown, handles: Handles): unknown {
    if (typeof type !== 'string') return this.#builtToJson(type, value, handles);
    if (type === 'u64' || type === 's64') return String(value);
    const known = this.definition(type);
    if (!known) return value;
    if (known.alias !== undefined) return this.toJson(known.alias, value, handles);
    if (known.resource) return { resource: handles.number(value as object) };
    if (known.record) {
      const record = value as Record<string, unknown>;
      return Object.fromEntries(known.record.map(([name, member]) => [name, this.toJson(member, record[camel(name)], handles)]));
    }
    if (known.flags) {
      const set = value as Record<string, unknown>;
      return known.flags.filter((flag) => set[camel(flag)] === true);
    }
    if (known.variant) {
      const { tag, val } = value as { tag: string; val: unknown };
      const payload = known.variant.find(([name]) => name === tag)?.[1];
      return { [tag]: payload ? this.toJson(payload, val, handles) : null };
    }
    return value;
  }

  #builtToJson([built, ...args]: readonly [string, ...(Type | null)[]], value: unknown, handles: Handles): unknown {
    const of = (index: number) => args[index] ?? 'nothing';
    switch (built) {
      case 'option':
        return value === undefined ? null : this.toJson(of(0), value, handles);
      case 'list':
        return (value as unknown[]).map((item) => this.toJson(of(0), item, handles));
      case 'tuple':
        return (value as unknown[]).map((item, index) => this.toJson(of(index), item, handles));
      case 'result': {
        const { tag, val } = value as { tag: 'ok' | 'err'; val: unknown };
        const side = args[tag === 'ok' ? 0 : 1];
        return { [tag]: side ? this.toJson(side, val, handles) : null };
      }
      default:
        return { resource: handles.number(value as object) };
    }
  }

  /** The value that this JSON stands for. Throws a `TypeError` that names the place. */
  fromJson(type: Type, json: unknown, handles: Handles, at: string): unknown {
    if (typeof type !== 'string') return this.#builtFromJson(type, json, handles, at);
    if (type === 'u64' || type === 's64') {
      return typeof json === 'string' && /^-?[0-9]+$/.test(json) ? integer(type, BigInt(json), at) : wrong(at, 'a decimal string', json);
    }
    if (type === 'string') return typeof json === 'string' ? json : wrong(at, 'a string', json);
    if (type === 'bool') return typeof json === 'boolean' ? json : wrong(at, 'a boolean', json);
    if (INTEGERS[type]) return integer(type, json, at);
    const known = this.definition(type);
    if (!known) throw new TypeError(`${at}: values of the type ${type} are not known`);
    if (known.alias !== undefined) return this.fromJson(known.alias, json, handles, at);
    if (known.resource) return resource(json, handles, at);
    if (known.record) {
      const given = members(json, at);
      const { record } = known;
      for (const name of Object.keys(given)) {
        if (!record.some(([known]) => known === name)) throw new TypeError(`${at} has no member ${name}`);
      }
      return Object.fromEntries(
        record.map(([name, member]) => {
          if (!(name in given)) throw new TypeError(`${at} lacks the member ${name}`);
          return [camel(name), this.fromJson(member, given[name], handles, `${at}.${name}`)];
        }),
      );
    }
    if (known.flags) {
      if (!Array.isArray(json)) return wrong(at, 'a list of flags', json);
      for (const flag of json) if (!known.flags.includes(flag as string)) wrong(at, `flags of ${known.flags.join(', ')}`, flag);
      return Object.fromEntries(json.map((flag) => [camel(flag as string), true]));
    }
    if (known.enum) return known.enum.includes(json as string) ? json : wrong(at, `one of ${known.enum.join(', ')}`, json);
    if (known.variant) {
      const [tag, val] = single(json, at);
      const found = known.variant.find(([name]) => name === tag);
      if (!found) return wrong(at, `a case of ${known.variant.map(([name]) => name).join(', ')}`, tag);
      return found[1] === null ? { tag } : { tag, val: this.fromJson(found[1], val, handles, `${at}.${tag}`) };
    }
    return json;
  }

  #builtFromJson([built, ...args]: readonly [string, ...(Type | null)[]], json: unknown, handles: Handles, at: string): unknown {
    const of = (index: number) => args[index] ?? 'nothing';
    switch (built) {
      case 'option':
        return json === null || json === undefined ? undefined : this.fromJson(of(0), json, handles, at);
      case 'list':
        if (!Array.isArray(json)) return wrong(at, 'a list', json);
        return json.map((item, index) => this.fromJson(of(0), item, handles, `${at}[${index}]`));
      case 'tuple':
        if (!Array.isArray(json) || json.length !== args.length) return wrong(at, `a list of ${args.length}`, json);
        return json.map((item, index) => this.fromJson(of(index), item, handles, `${at}[${index}]`));
      case 'result': {
        const [tag, val] = single(json, at);
        if (tag !== 'ok' && tag !== 'err') return wrong(at, 'ok or err', tag);
        const side = args[tag === 'ok' ? 0 : 1];
        return { tag, val: side ? this.fromJson(side, val, handles, at) : undefined };
      }
      default:
        return resource(json, handles, at);
    }
  }
}

function integer(type: string, value: unknown, at: string): number | bigint {
  const { low, high } = INTEGERS[type] as Integer;
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return wrong(at, `an integer (${type})`, value);
  const exact = BigInt(value as number | bigint);
  if (exact < low || exact > high) throw new RangeError(`${at} is ${exact}, which is not from ${low} to ${high}`);
  return type.endsWith('64') ? exact : Number(exact);
}

function resource(json: unknown, handles: Handles, at: string): object {
  const { resource } = members(json, at);
  return typeof resource === 'number' ? handles.resource(resource) : wrong(at, 'a resource', json);
}

function single(json: unknown, at: string): [string, unknown] {
  const [entry, ...more] = Object.entries(members(json, at));
  if (!entry || more.length > 0) throw new TypeError(`${at} must have exactly one member`);
  return entry;
}

function members(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(at, 'an object', value);
  return value as Record<string, unknown>;
}

/** An item of a list; only options can be absent. */
function required(type: Type, value: unknown, at: string): unknown {
  return value === undefined && type[0] !== 'option' ? wrong(at, 'a value', value) : value;
}

function wrong(at: string, wanted: string, value: unknown): never {
  throw new TypeError(`${at} must be ${wanted}, not ${describe(value)}`);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'bigint' ? `${value}` : String(value);
}
