// What the package offers everywhere; `layerwise/node` has the stores for Node.
export { openBuilds } from './builds.js';
export { Engine, type EngineOptions } from './engine.js';
export * from './errors.js';
export { Catalogue, explained, reasons } from './explain.js';
export { type Buildkit, type Buildpacks, type Builds, type Closing, type Docker, type Dockerfile, type Functions, type Given, Instance, type Stacker } from './instance.js';
export type { Each, Filesystem, Filesystems, Images, ImageStore, Lent, Observer, Observers, Registries, Registry, Types } from './lent.js';
export { Memory } from './store.js';
export { compare, type Mismatch, type Transcript, transcriptOf } from './transcript.js';
