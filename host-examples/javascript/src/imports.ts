// The imports of the component, over what a host lends: exceptions and failures
// become the typed failures of the contract, so that nothing is ever thrown
// through the component.
import { Failure, failureOf } from './errors.js';
import type { Lent } from './lent.js';
import { camel, type Func, type Type, type Values, type Wit } from './values.js';

/** One call of an import, with arguments and answer as the component has them. */
export type Import = (name: string, interfaceName: string, func: Func, args: unknown[]) => unknown;

type Method = (...args: unknown[]) => unknown;

/** The imports of an instance, each of which is answered by this. */
export function importing(wit: Wit, answer: Import): object {
  const [name] = wit.package.split('@');
  const imports: Record<string, Record<string, Method>> = { [`${name}/types`]: {} };
  for (const interfaceName of wit.imports) {
    const functions = Object.entries(wit.interfaces[interfaceName]?.functions ?? {});
    imports[`${name}/${interfaceName}`] = Object.fromEntries(
      functions.map(([full, func]) => [camel(func.name), (...args) => answer(full, interfaceName, func, args)]),
    );
  }
  return imports;
}

/** Answers imports out of what was lent. */
export function lending(values: Values, lent: Lent): Import {
  const places: Record<string, object | undefined> = {
    'image-store': lent.images,
    registry: lent.registry,
    filesystem: lent.files,
    observer: lent.observer,
  };
  return (_, interfaceName, func, args) => {
    const place = places[interfaceName] as Record<string, Method | undefined> | undefined;
    if (func.result === null) return heard(place, func, args);
    const one = result(func.result);
    const each = Array.isArray(func.result) && func.result[0] === 'list' ? result(func.result[1] as Type) : undefined;
    try {
      if (!place) throw new Failure('unsupported', 'the opener lent no such thing');
      const method = place[camel(func.name)];
      if (typeof method !== 'function') throw new Failure('unsupported', `what was lent has no method ${camel(func.name)}`);
      const answer = method.apply(place, args);
      const at = `the answer of ${interfaceName} ${func.name}`;
      if (one) return one.ok && values.complete(one.ok, answered(answer, at), at);
      if (!each) return values.complete(func.result, answer, at);
      if (!Array.isArray(answer)) throw new TypeError(`${at} must be a list`);
      return answer.map((item: unknown, index) => {
        if (item instanceof Error) return err(item);
        return { tag: 'ok', val: each.ok ? values.complete(each.ok, answered(item, at), `${at}[${index}]`) : undefined };
      });
    } catch (thrown) {
      if (each) return asked(func, args).map(() => err(thrown));
      throw { payload: payload(thrown) };
    }
  };
}

function heard(place: Record<string, Method | undefined> | undefined, func: Func, args: unknown[]): void {
  try {
    place?.[camel(func.name)]?.(...args);
  } catch {
    // Watching never changes a decision.
  }
}

/** An answer that may not be missing. */
function answered(value: unknown, at: string): unknown {
  if (value === undefined || value instanceof Promise) {
    throw new TypeError(`${at} must be there at once: ${value === undefined ? 'nothing' : 'a promise'} came`);
  }
  return value;
}

/** What a call was asked about: its first list. A write stops at the first failure. */
function asked(func: Func, args: unknown[]): unknown[] {
  const items = args.find(Array.isArray) ?? [];
  return func.name === 'write' ? items.slice(0, 1) : items;
}

function result(type: Type): { ok: Type | null } | undefined {
  return Array.isArray(type) && type[0] === 'result' ? { ok: type[1] as Type | null } : undefined;
}

function err(thrown: unknown) {
  return { tag: 'err', val: payload(thrown) };
}

function payload(thrown: unknown) {
  const { code, message } = failureOf(thrown);
  return { code, message };
}
