// What a host lends the component, as interfaces to implement. Methods are
// synchronous and batched: an answer has the order of what was asked, with a
// `Failure` in place of an item that failed. A thrown `Failure` (or any other
// exception) fails the whole call. `wit/` has the full contract of each.
import type * as Filesystems from '../gen/interfaces/layerwise-cache-filesystem.js';
import type * as Images from '../gen/interfaces/layerwise-cache-image-store.js';
import type * as Observers from '../gen/interfaces/layerwise-cache-observer.js';
import type * as Registries from '../gen/interfaces/layerwise-cache-registry.js';
import type * as Types from '../gen/interfaces/layerwise-cache-types.js';
import type { Failure } from './errors.js';

export type { Filesystems, Images, Observers, Registries, Types };

/** One answer for each thing asked. */
export type Each<T> = readonly (T | Failure)[];

/** Images, and the parent links between them (`wit/image-store.wit`). */
export interface ImageStore {
  get(ids: string[], want: Images.Facts, limit: bigint): Each<Images.Image>;
  resolve(references: string[], limit: bigint): Each<Images.Image>;
  children(parent: string | undefined): readonly string[];
  setParent(target: string, parent: string): void;
  create(parent: string | undefined, document: string, layer: string | undefined): string;
  /** What only sessions over containerd's image store call, here and below. */
  records?(wanted: Images.Selector[]): Each<Images.ImageRecord[]>;
  documents?(digests: string[], limit: bigint): Each<Images.Document>;
  labelled?(labels: Types.Annotation[]): Each<Types.Descriptor | undefined>;
  put?(documents: Images.Document[], records: Images.ImageRecord[]): void;
}

/** Content under digests, in registries and layouts (`wit/registry.wit`). */
export interface Registry {
  locate(reference: string): string;
  resolve(references: string[]): Each<Types.Descriptor[]>;
  read(repository: string, wanted: Types.Descriptor[], limit: bigint): Each<string>;
  has(repository: string, digests: string[]): readonly Registries.Presence[];
  write(repository: string, shelf: Registries.Shelf, mediaType: string, document: string): Types.Descriptor;
  store(repository: string, layers: Registries.Transfer[]): Each<Registries.Stored>;
  retrieve(repository: string, layers: Registries.Retrieval[]): Each<Registries.Retrieved>;
  tag(reference: string, digest: string): void;
  delete(repository: string, digest: string): void;
}

/** Files below opened directories (`wit/filesystem.wit`). */
export interface Filesystem {
  stat(paths: string[], follow: boolean, want: Filesystems.Facts): Each<Filesystems.Entry>;
  listNames(directory: string): readonly string[];
  read(paths: string[], limit: bigint): Each<Filesystems.Content>;
  walk(root: string, want: Filesystems.Facts, limit: bigint): readonly Filesystems.Entry[];
  hash(files: Filesystems.Hashing[]): Each<string>;
  write(changes: Filesystems.Change[]): Each<void>;
  rename(old: string, target: string): void;
  remove(paths: string[]): Each<void>;
}

/** Hears what happens; exceptions of an observer change nothing (`wit/observer.wit`). */
export interface Observer {
  log?(level: Observers.Level, message: string, fields: Types.Annotation[]): void;
  progress?(operation: string, item: string, done: bigint, total: bigint): void;
}

/** All of it; what is not lent, and every method that is left out, refuses calls with `unsupported`. */
export interface Lent {
  images?: Partial<ImageStore>;
  registry?: Partial<Registry>;
  files?: Partial<Filesystem>;
  observer?: Observer;
}
