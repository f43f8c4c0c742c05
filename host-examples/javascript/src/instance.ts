// One instance of the component. Every call goes through `Instance.call`, which
// knows when the component has trapped: nothing enters it after that.
import type * as Buildkit from '../gen/interfaces/layerwise-cache-buildkit.js';
import type * as Buildpacks from '../gen/interfaces/layerwise-cache-buildpacks.js';
import type * as Builds from '../gen/interfaces/layerwise-cache-builds.js';
import type * as Docker from '../gen/interfaces/layerwise-cache-docker.js';
import type * as Dockerfile from '../gen/interfaces/layerwise-cache-dockerfile.js';
import type * as Rules from '../gen/interfaces/layerwise-cache-rules.js';
import type * as Stacker from '../gen/interfaces/layerwise-cache-stacker.js';
import type * as Types from '../gen/interfaces/layerwise-cache-types.js';
import type { Lending } from './engine.js';
import { Closed, errorOf, LayerwiseError, Stopped } from './errors.js';
import { camel, type Func, type Type, type Values } from './values.js';

export type { Buildkit, Buildpacks, Builds, Docker, Dockerfile, Rules, Stacker };

/**
 * An argument as callers may write it: members that have an empty value can be
 * left out, and integers are numbers or bigints.
 */
export type Given<T> = T extends bigint
  ? bigint | number
  : T extends Disposable
    ? Closing<T>
    : T extends readonly (infer Item)[]
      ? readonly Given<Item>[]
      : T extends { tag: infer Tag; val: infer Val }
        ? { tag: Tag; val: Given<Val> }
        : T extends object
          ? { [Member in keyof T]?: Given<T[Member]> }
          : T;

type Args<List extends readonly unknown[]> = { [Index in keyof List]: Given<List[Index]> };

/** An interface or resource with arguments as callers may write them. */
export type Closing<T> = {
  [Name in keyof T]: T[Name] extends (...args: infer List) => infer Result
    ? (...args: Args<List>) => Result extends Disposable ? Closing<Result> : Result
    : T[Name];
};

/** The functions of an interface. */
export type Functions<Interface> = Closing<{
  [Name in keyof Interface as Interface[Name] extends (...args: never[]) => unknown ? Name : never]: Interface[Name];
}>;

type Method = (...args: unknown[]) => unknown;
type Outcome = { tag: 'ok' | 'err'; val: unknown };

const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('dispose');

/** The component with a memory of its own. */
export class Instance {
  /** The classic builder's image cache. */
  declare readonly docker: Functions<typeof Docker>;
  /** The caches of the Cloud Native Buildpacks lifecycle. */
  declare readonly buildpacks: Functions<typeof Buildpacks>;
  /** The remote cache of BuildKit. */
  declare readonly buildkit: Functions<typeof Buildkit>;
  /** What the classic builder asks at each step of a Dockerfile. */
  declare readonly dockerfile: Functions<typeof Dockerfile>;
  /** Builds by BuildKit. */
  declare readonly builds: Functions<typeof Builds>;
  /** The build cache of stacker. */
  declare readonly stacker: Functions<typeof Stacker>;
  /** The catalogue of codes. */
  declare readonly rules: Functions<typeof Rules>;

  readonly #values: Values;
  readonly #wrappers = new WeakMap<object, object>();
  readonly #wrapped = new WeakMap<object, object>();
  #root: Record<string, Record<string, Method>> | undefined;
  #stopped: Stopped | undefined;
  #busy = false;
  #last: unknown;
  readonly #lent: Lending;

  constructor(values: Values, instantiate: (imports: object) => object, lent: Lending) {
    this.#values = values;
    this.#lent = lent;
    const { wit } = values;
    try {
      this.#root = instantiate(lent.imports) as never;
    } catch (thrown) {
      this.close();
      throw new Stopped('instantiation', thrown);
    }
    for (const interfaceName of wit.exports) Object.defineProperty(this, interfaceName, { value: this.#functions(interfaceName), enumerable: true });
  }

  /** Why nothing can be called any more; absent while the component works. */
  get stopped(): Stopped | undefined {
    return this.#stopped;
  }

  /**
   * Calls a function by its name in the component, such as
   * `[method]session.lookup`, with values as they are. A function that answers
   * a result gives `{tag, val}`; only a stopped or closed component throws.
   */
  call(interfaceName: string, name: string, args: unknown[]): unknown {
    const func = this.#values.wit.interfaces[interfaceName]?.functions[name];
    const operation = `${interfaceName} ${name}`;
    if (!func) throw new TypeError(`the component has no function ${operation}`);
    const answer = this.#enter(operation, (root) => {
      const method = name.startsWith('[method]');
      const owner = (method ? args[0] : root[interfaceName]) as Record<string, Method>;
      return (owner[camel(func.name)] as Method).apply(owner, method ? args.slice(1) : args);
    });
    if (!isResult(func.result)) {
      if ('error' in answer) throw answer.error;
      return answer.ok;
    }
    return 'error' in answer ? { tag: 'err', val: answer.error.payload } : { tag: 'ok', val: answer.ok };
  }

  /** Gives back a resource as the component has it. */
  drop(resource: object): void {
    this.#enter('closing', () => (resource as Disposable)[dispose]());
  }

  /** Ends the instance; its memory is freed when nothing refers to it. */
  close(): void {
    this.#root = undefined;
    this.#lent.close?.();
  }

  /** Ends the instance when this resource is closed. */
  endWith<T>(resource: T): T {
    this.#last = resource;
    return resource;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #enter(operation: string, run: (root: Record<string, Record<string, Method>>) => unknown): { ok: unknown } | { error: Error & { payload: unknown } } {
    if (this.#stopped) throw this.#stopped;
    if (!this.#root) throw new Closed(operation);
    if (this.#busy) throw new LayerwiseError('other', { operation, message: `${operation}: the instance is in a call already` });
    this.#busy = true;
    try {
      return { ok: run(this.#root) };
    } catch (thrown) {
      if (thrown instanceof Error && Object.hasOwn(thrown, 'payload')) return { error: thrown as never };
      this.close();
      this.#stopped = new Stopped(operation, thrown);
      throw this.#stopped;
    } finally {
      this.#busy = false;
    }
  }

  #functions(interfaceName: string): Record<string, Method> {
    const functions = Object.entries(this.#values.wit.interfaces[interfaceName]?.functions ?? {});
    return Object.fromEntries(
      functions
        .filter(([name]) => !name.startsWith('[method]'))
        .map(([name, func]) => [camel(func.name), (...args) => this.#checked(interfaceName, name, func, args)]),
    );
  }

  /** A call with checked arguments; errors are thrown, resources wrapped. */
  #checked(interfaceName: string, name: string, func: Func, args: unknown[], self?: object): unknown {
    const params = self ? func.params.slice(1) : func.params;
    if (args.length > params.length) throw new TypeError(`${func.name} takes ${params.length} arguments, not ${args.length}`);
    const given = params.map(([param, type], index) => {
      const value = args[index];
      if (this.#isResource(type)) return this.#unwrap(value, param);
      if (value === undefined && isText(type)) throw new TypeError(`${func.name}: ${param} must be given`);
      return this.#values.complete(type, value, param);
    });
    const answer = this.call(interfaceName, name, self ? [self, ...given] : given);
    if (!isResult(func.result)) return this.#wrap(func.result, answer);
    const { tag, val } = answer as Outcome;
    if (tag === 'err') throw errorOf(val as Types.Error);
    return this.#wrap(func.result[1], val);
  }

  #isResource(type: Type | null): boolean {
    if (Array.isArray(type)) return type[0] === 'borrow' || type[0] === 'own';
    return type !== null && this.#values.definition(type as Type)?.resource === true;
  }

  #unwrap(value: unknown, param: string): object {
    const resource = this.#wrapped.get(value as object);
    if (!resource) throw new TypeError(`${param} must be an open resource of the same instance`);
    return resource;
  }

  #wrap(type: Type | null, value: unknown): unknown {
    if (typeof type !== 'string' || !this.#isResource(type)) return value;
    const raw = value as object;
    const known = this.#wrappers.get(raw);
    if (known) return known;
    const [interfaceName, resource] = type.split('/') as [string, string];
    const methods = Object.entries(this.#values.wit.interfaces[interfaceName]?.functions ?? {});
    const wrapper: Record<PropertyKey, unknown> = {};
    let open = true;
    for (const [name, func] of methods) {
      if (!name.startsWith(`[method]${resource}.`)) continue;
      wrapper[camel(func.name)] = (...args: unknown[]) => {
        if (!open) throw new Closed(func.name);
        return this.#checked(interfaceName, name, func, args, raw);
      };
    }
    const close = () => {
      if (!open) return;
      open = false;
      this.#wrapped.delete(wrapper);
      if (!this.#stopped && this.#root) this.drop(raw);
      if (wrapper === this.#last) this.close();
    };
    wrapper['close'] = close;
    wrapper[dispose] = close;
    this.#wrappers.set(raw, wrapper);
    this.#wrapped.set(wrapper, raw);
    return wrapper;
  }
}

function isResult(type: Type | null): type is ['result', Type | null, Type | null] {
  return Array.isArray(type) && type[0] === 'result';
}

/** Members of records may be left out; a text by itself says something. */
function isText(type: Type): boolean {
  return typeof type === 'string' && !type.includes('/');
}
