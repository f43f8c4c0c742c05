// The component with the stores of the native program inside, and what it is lent
// over WASI: directories to read, an environment, and maybe a network. Requests,
// streams and clocks are those of the preview2 shim; directories are not, because
// the shim opens whole paths, waits for pipes, and lets everything be written.
import * as fs from 'node:fs';
import { resolve } from 'node:path';
import type { Component, Lending, Runtime } from '../engine.js';
import { Invalid } from '../errors.js';
import { Descriptor, DirectoryEntryStream, FileStream, type Opened } from './preopened.js';

/** What the component is lent. */
export interface WasiOptions {
  /** The image store: `oci:DIR`, `docker:DIR`, `containerd:DIR#NAMESPACE` or `archive:FILE`. */
  store?: string;
  /** Directories that can be read, by the path that the component has for each. */
  directories?: Readonly<Record<string, string>>;
  /** More of the environment: `LAYERWISE_PLATFORM`, `LAYERWISE_MARKS_KEY`, `LAYERWISE_PLAIN_HTTP`, `DOCKER_CONFIG`. */
  environment?: Readonly<Record<string, string>>;
  /** Whether it may ask registries; without, each is refused with `denied`. */
  network?: boolean;
}

type Shim = typeof import('@bytecodealliance/preview2-shim');

/**
 * Runs an engine's component with its stores inside: `Engine.load({ wasi: new Wasi({ store: 'oci:images' }) })`.
 * Nothing else can be lent to its sessions. Paths are those of the component: `images` is below the
 * directory `.`, which is lent unless `directories` says otherwise.
 */
export class Wasi implements Runtime {
  readonly #directories: readonly (readonly [name: string, path: string])[];
  readonly #environment: readonly (readonly [string, string])[];
  readonly #network: boolean;
  #shim: Shim | undefined;

  constructor({ store, directories = { '.': '.' }, environment = {}, network = false }: WasiOptions) {
    this.#directories = Object.entries(directories).map(([name, path]) => [name, resolve(path)]);
    this.#environment = Object.entries({ ...environment, ...(store !== undefined && { LAYERWISE_STORE: store }) });
    this.#network = network;
  }

  async component(): Promise<Component> {
    this.#shim = await import('@bytecodealliance/preview2-shim');
    return (await import('../../gen/wasi/layerwise-wasi.js')) as Component;
  }

  lend(): Lending {
    const all = new Set<Opened>();
    const close = () => {
      for (const one of all) one.end();
    };
    try {
      const directories = this.#directories.map(([name, path]) => [name, lent(path, all)] as const);
      return { imports: this.#imports(directories), close };
    } catch (thrown) {
      close();
      throw thrown;
    }
  }

  #imports(directories: readonly (readonly [name: string, directory: Descriptor])[]): object {
    const { cli, clocks, http, io, random } = this.#shim as Shim;
    const { error, poll, streams } = io;
    return {
      'wasi:cli/environment': { getEnvironment: () => this.#environment },
      'wasi:cli/exit': { exit },
      'wasi:cli/stdin': { getStdin: () => new FileStream(undefined) },
      'wasi:cli/stdout': cli.stdout,
      'wasi:cli/stderr': cli.stderr,
      'wasi:cli/terminal-input': cli.terminalInput,
      'wasi:cli/terminal-output': cli.terminalOutput,
      'wasi:cli/terminal-stdin': { getTerminalStdin: nothing },
      'wasi:cli/terminal-stdout': { getTerminalStdout: nothing },
      'wasi:cli/terminal-stderr': { getTerminalStderr: nothing },
      'wasi:clocks/monotonic-clock': clocks.monotonicClock,
      'wasi:clocks/wall-clock': clocks.wallClock,
      'wasi:filesystem/preopens': { getDirectories: () => directories.map(([name, directory]) => [directory.again(), name]) },
      'wasi:filesystem/types': { Descriptor, DirectoryEntryStream },
      'wasi:http/outgoing-handler': this.#network ? http.outgoingHandler : { handle: denied },
      'wasi:http/types': http.types,
      'wasi:io/error': error,
      'wasi:io/poll': poll,
      'wasi:io/streams': { ...streams, InputStream: either(streams.InputStream) },
      'wasi:random/insecure-seed': random.insecureSeed,
    };
  }
}

/** What takes the streams of files here for those of the shim, too. */
function either(other: Shim['io']['streams']['InputStream']): object {
  return { [Symbol.hasInstance]: (value: unknown) => value instanceof FileStream || value instanceof other, prototype: FileStream.prototype };
}

function lent(path: string, all: Set<Opened>): Descriptor {
  try {
    return Descriptor.lent(path, all);
  } catch (cause) {
    const why = fs.existsSync(path) ? 'it is not a directory that can be read' : 'it does not exist';
    throw new Invalid('invalid', { operation: 'instantiation', subject: path, message: `cannot lend ${JSON.stringify(path)}: ${why}` }, { cause });
  }
}

function denied(): never {
  throw { tag: 'HTTP-request-denied' };
}

function exit(): never {
  throw new Error('the component ended itself');
}

function nothing(): undefined {
  return undefined;
}
