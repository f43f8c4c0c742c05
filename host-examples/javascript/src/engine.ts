// The engine: the component compiled once, and instances and sessions made of it.
import * as plain from '../gen/layerwise.js';
import { wit as described } from '../gen/wit.js';
import { openBuilds } from './builds.js';
import { Unsupported } from './errors.js';
import { Catalogue } from './explain.js';
import { importing, lending, type Import } from './imports.js';
import { type Buildkit, type Buildpacks, type Builds, type Closing, type Docker, type Dockerfile, type Given, Instance, type Stacker } from './instance.js';
import type { Lent } from './lent.js';
import { capped } from './memory.js';
import { Values, type Wit } from './values.js';

const wit = described as Wit;

/** How the component is compiled. */
export interface EngineOptions {
  /** The most bytes of memory an instance may have; 512 MiB unless told otherwise. */
  memory?: number;
  /** Gives the bytes of a core module; read from beside this module unless told otherwise. */
  read?: (name: string) => Promise<BufferSource>;
  /** Runs the component with its stores inside; `Wasi` of `layerwise/node` is one. */
  wasi?: Runtime;
}

/** A component as jco writes it: the names of its core modules, and what makes an instance of them. */
export interface Component {
  readonly modules: readonly string[];
  instantiate(modules: (path: string) => WebAssembly.Module, imports: object, instantiate: typeof instantiateCore): object;
}

/** A component that is lent nothing but WASI. */
export interface Runtime {
  component(): Promise<Component>;
  /** What an instance is to have. */
  lend(): Lending;
}

/** The imports of an instance, and what ends with it. */
export interface Lending {
  readonly imports: object;
  close?(): void;
}

/** The component, compiled. Sessions that it opens are independent of each other. */
export class Engine {
  /** The version of the component's package. */
  readonly version = wit.package.split('@')[1] as string;
  readonly values = new Values(wit);
  readonly #instantiate: (imports: object) => object;
  readonly #wasi: Runtime | undefined;
  #catalogue: Catalogue | undefined;

  private constructor(instantiate: (imports: object) => object, wasi: Runtime | undefined) {
    this.#instantiate = instantiate;
    this.#wasi = wasi;
  }

  /** Compiles the component. */
  static async load(options: EngineOptions = {}): Promise<Engine> {
    const { wasi, memory, read = readBeside } = options;
    const component: Component = wasi ? await wasi.component() : plain;
    const compiled = component.modules.map(async (name) => {
      const bytes = await read(name);
      return [name, await WebAssembly.compile(memory === undefined ? bytes : capped(bytes, memory))] as const;
    });
    const modules = new Map(await Promise.all(compiled));
    return new Engine((imports) => component.instantiate((name) => modules.get(name) as WebAssembly.Module, imports, instantiateCore), wasi);
  }

  /** A fresh instance, for functions that need no session, or several sessions at once. */
  instance(lent: Lent = {}): Instance {
    if (!this.#wasi) return this.answering(lending(this.values, lent));
    if (Object.values(lent).some((one) => one !== undefined)) throw inside();
    return new Instance(this.values, this.#instantiate, this.#wasi.lend());
  }

  /** What codes mean, and what to do about them. */
  get catalogue(): Catalogue {
    this.#catalogue ??= new Catalogue(this.instance().rules.all());
    return this.#catalogue;
  }

  /** A fresh instance whose imports are answered one by one. */
  answering(answer: Import): Instance {
    if (this.#wasi) throw inside();
    return new Instance(this.values, this.#instantiate, { imports: importing(this.values.wit, answer) });
  }

  /** Opens a session over the images of a classic builder, in an instance of its own. */
  docker(lent: Lent, options: Given<Docker.Options> = {}): Closing<Docker.Session> {
    return this.#alone(lent, (instance) => instance.docker.open(options));
  }

  /** Goes through a Dockerfile as the classic builder does. */
  dockerfile(lent: Lent, dockerfile: string, options: Given<Dockerfile.Options> = {}): Closing<Dockerfile.Session> {
    return this.#alone(lent, (instance) => instance.dockerfile.open(dockerfile, options));
  }

  /** The builds by BuildKit in files as somebody has them, all in one instance, the newest of each file first. */
  async builds(lent: Lent, files: readonly Uint8Array<ArrayBuffer>[], options: Given<Builds.ReadOptions> = {}): Promise<Closing<Builds.Build>[][]> {
    const instance = this.instance(lent);
    const opened: Closing<Builds.Build>[][] = [];
    for (const file of files) opened.push(await openBuilds(instance, file, options));
    return opened;
  }

  /** Opens the cache image behind a name. */
  cacheImage(lent: Lent, options: Given<Buildpacks.ImageOptions>): Closing<Buildpacks.CacheImage> {
    return this.#alone(lent, (instance) => instance.buildpacks.openImage(options));
  }

  /** Opens a restorer of layer metadata. */
  restorer(lent: Lent, options: Given<Buildpacks.RestoreOptions>): Closing<Buildpacks.Restorer> {
    return this.#alone(lent, (instance) => instance.buildpacks.openRestorer(options));
  }

  /** Opens an export of a BuildKit cache. */
  exporter(lent: Lent, options: Given<Buildkit.Options> = {}): Closing<Buildkit.Exporter> {
    return this.#alone(lent, (instance) => instance.buildkit.exportTo(options));
  }

  /** Opens the BuildKit cache whose manifest a descriptor names. */
  cache(lent: Lent, repository: string, descriptor: Given<Buildkit.Descriptor>): Closing<Buildkit.Cache> {
    return this.#alone(lent, (instance) => instance.buildkit.read({ tag: 'manifest', val: { repository, descriptor } }, {}));
  }

  /** Opens the build cache of stacker. */
  stacker(lent: Lent, options: Given<Stacker.Options>): Closing<Stacker.Session> {
    return this.#alone(lent, (instance) => instance.stacker.open(options));
  }

  /** Opens something in an instance of its own, which ends with it. */
  #alone<T extends object>(lent: Lent, open: (instance: Instance) => T): T {
    const instance = this.instance(lent);
    try {
      return instance.endWith(open(instance));
    } catch (thrown) {
      instance.close();
      throw thrown;
    }
  }
}

function instantiateCore(module: WebAssembly.Module, imports: WebAssembly.Imports): WebAssembly.Instance {
  return new WebAssembly.Instance(module, imports);
}

function inside(): Unsupported {
  return new Unsupported('unsupported', { operation: 'instantiation', message: 'the stores are inside of this component: nothing else can be lent' });
}

async function readBeside(name: string): Promise<BufferSource> {
  const url = new URL(`../gen/${name}`, import.meta.url);
  if (url.protocol !== 'file:') return (await fetch(url)).arrayBuffer();
  const { readFile } = await import('node:fs/promises');
  return readFile(url);
}
