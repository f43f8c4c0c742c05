// What a document is, and its parts: a build, an image config, a Docker history,
// a step, or a BuildKit cache.
import { documentsOf } from '../dist/builds.js';
import { Layout, openFile } from '../dist/envelope.js';

/**
 * @typedef {{ created?: string, created_by?: string, comment?: string, author?: string, empty_layer?: boolean }} Entry
 * @typedef {{ kind: 'image', text: string, config: string | undefined, platform: Record<string, string>, history: Entry[], layers: string[] }} ImageDocument
 * @typedef {{ kind: 'history', history: Entry[] }} HistoryDocument
 * @typedef {{ kind: 'step', config: string }} StepDocument
 * @typedef {{ kind: 'buildkit', text: string, input?: import('../dist/index.js').Buildkit.Input }} BuildkitDocument
 * @typedef {{ kind: 'build', documents: import('../dist/index.js').Builds.Document[][], log?: boolean }} BuildDocument
 * @typedef {ImageDocument | HistoryDocument | StepDocument | BuildkitDocument | BuildDocument} Document
 */

/** The names of the kinds, for people. */
export const KINDS = { image: 'an image config', history: 'a Docker history', step: 'a step', buildkit: 'a BuildKit cache', build: 'a build' };

/**
 * Opens what somebody gave: text, or a file.
 * @param {import('../dist/index.js').Instance} instance
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} repository what the component calls a layout
 * @param {Map<string, Layout>} layouts where it is put
 * @returns {Promise<Document | undefined>} nothing for an empty text
 */
export async function opened(instance, bytes, repository, layouts) {
  const file = await openFile(bytes);
  if (!(file instanceof Layout)) return documentOf(file);
  layouts.set(repository, file);
  const documents = await documentsOf(instance, file);
  if (documents.length === 0) throw new TypeError('a layout without anything in it');
  // A layout may be a cache, or an image of which nothing else is known.
  const [[first] = []] = documents;
  const config = documents.flat().length === 1 && first?.form === 'text' ? parsed(first.content) : undefined;
  if (isObject(config) && 'records' in config) {
    const [manifest] = parsed(file.index).manifests;
    const descriptor = { mediaType: string(manifest?.mediaType), digest: string(manifest?.digest), size: BigInt(manifest?.size ?? 0), annotations: [] };
    return { kind: 'buildkit', text: JSON.stringify(config), input: { tag: 'manifest', val: { repository, descriptor } } };
  }
  if (isObject(config) && 'rootfs' in config && !('Ref' in config)) return image(JSON.stringify(config), config);
  return { kind: 'build', documents };
}

/**
 * Tells what a text is. Throws a `TypeError` for people.
 * @param {string} text
 * @returns {Document | undefined} nothing for an empty text
 */
export function documentOf(text) {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const run = /^RUN\s+([^]+)$/i.exec(trimmed);
  if (run) return { kind: 'step', config: JSON.stringify({ Cmd: ['/bin/sh', '-c', run[1]] }) };
  if (/^\{\s*"(vertexes|statuses|logs|warnings)"/.test(trimmed)) return build(trimmed, true);
  const lines = linesOf(trimmed);
  if (lines) return { kind: 'history', history: lines.map(entryOf).reverse() };
  const value = parsed(trimmed);
  // `docker image inspect` answers a list, with members of its own.
  if (Array.isArray(value) && value.length === 1 && isInspected(value[0])) return inspected(value[0]);
  if (isInspected(value)) return inspected(value);
  if (Array.isArray(value)) {
    if (!value.every(isObject)) throw new TypeError('a list of something else than history entries');
    const printed = value.some((entry) => 'CreatedBy' in entry);
    return { kind: 'history', history: printed ? value.map(entryOf).reverse() : value };
  }
  if (!isObject(value)) throw new TypeError('JSON, but neither an object nor a list');
  if (isBuild(value) || Object.values(value).some((one) => isObject(one) && isBuild(one))) return build(trimmed);
  if ('records' in value) return { kind: 'buildkit', text: trimmed };
  if ('layers' in value && !('rootfs' in value) && !('mediaType' in value) && !('config' in value)) return { kind: 'buildkit', text: trimmed };
  if ('manifests' in value || ('layers' in value && 'config' in value)) {
    throw new TypeError('a manifest: give the config that it names, which is another blob');
  }
  if ('rootfs' in value || 'history' in value) return image(trimmed, value);
  const members = ['Cmd', 'Env', 'Entrypoint', 'Image', 'WorkingDir', 'Labels', 'User', 'ExposedPorts', 'Volumes'];
  if (members.some((name) => name in value)) return { kind: 'step', config: trimmed };
  throw new TypeError('JSON of a form that is not known here');
}

/**
 * @param {string} content
 * @returns {BuildDocument}
 */
function build(content, log = false) {
  return { kind: 'build', documents: [[{ form: 'text', content }]], log };
}

/**
 * Whether it is a record, provenance, or a metadata file.
 * @param {Record<string, unknown>} value
 */
function isBuild(value) {
  const names = ['FrontendAttrs', 'buildDefinition', 'buildType', 'predicate', 'buildx.build.provenance'];
  return names.some((name) => name in value) || Object.keys(value).some((name) => name.startsWith('buildx.build.provenance/'));
}

/**
 * @param {string} text
 * @param {Record<string, any>} value
 * @returns {ImageDocument}
 */
function image(text, value) {
  const config = value.container_config ?? value.config;
  return {
    kind: 'image',
    text,
    config: isObject(config) ? JSON.stringify(config) : undefined,
    platform: { os: string(value.os), architecture: string(value.architecture), variant: string(value.variant), osVersion: string(value['os.version']) },
    history: Array.isArray(value.history) ? value.history.filter(isObject) : [],
    layers: Array.isArray(value.rootfs?.diff_ids) ? value.rootfs.diff_ids.map(String) : [],
  };
}

/** @param {unknown} value */
function isInspected(value) {
  return isObject(value) && isObject(/** @type {any} */ (value).RootFS);
}

/**
 * @param {any} value
 * @returns {ImageDocument}
 */
function inspected(value) {
  const { Architecture, Os, Variant, OsVersion, RootFS, Config, ContainerConfig, Created } = value;
  const same = { architecture: Architecture, os: Os, variant: Variant, created: Created, config: Config, container_config: ContainerConfig?.Cmd ? ContainerConfig : undefined };
  const config = { ...same, 'os.version': OsVersion, rootfs: { type: 'layers', diff_ids: RootFS?.Layers ?? [] } };
  return image(JSON.stringify(config), JSON.parse(JSON.stringify(config)));
}

/**
 * The lines of `docker history --format json`, newest first.
 * @param {string} text
 * @returns {any[] | undefined}
 */
function linesOf(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (!lines.every((line) => line.startsWith('{') && line.trimEnd().endsWith('}'))) return undefined;
  try {
    const entries = lines.map((line) => JSON.parse(line));
    return entries.every((entry) => 'CreatedBy' in entry) ? entries : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {any} line
 * @returns {Entry}
 */
function entryOf(line) {
  return { ...(line.CreatedAt && { created: line.CreatedAt }), created_by: line.CreatedBy ?? '', ...(line.Comment && { comment: line.Comment }), ...(line.Size === '0B' && { empty_layer: true }) };
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TypeError(`not JSON: ${/** @type {Error} */ (error).message}`);
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, any>}
 */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param {unknown} value */
function string(value) {
  return typeof value === 'string' ? value : '';
}
