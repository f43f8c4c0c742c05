// Image layouts as tests want them, right and wrong: what other programs write.
import { createHmac } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { sha256 } from './support.js';

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const CONFIG = 'application/vnd.oci.image.config.v1+json';

/** An OCI image layout, of which every step is on the disk at once. */
export class Layout {
  /** @param {string} root */
  constructor(root) {
    this.root = root;
    fs.mkdirSync(join(root, 'blobs/sha256'), { recursive: true });
    fs.writeFileSync(join(root, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    this.write([]);
  }

  /** @param {string} digest */
  path(digest) {
    return join(this.root, 'blobs/sha256', digest.slice(7));
  }

  /** Stores a blob. @param {string} content @param {string} mediaType */
  blob(content, mediaType) {
    const descriptor = { mediaType, digest: sha256(content), size: Buffer.byteLength(content) };
    fs.writeFileSync(this.path(descriptor.digest), content);
    return descriptor;
  }

  /**
   * Enters an image with what is noted of it, and returns its id.
   * @param {string} document
   * @param {{ parent?: string, name?: string, mark?: string }} notes
   */
  image(document, { parent, name, mark } = {}) {
    const config = this.blob(document, CONFIG);
    const manifest = this.blob(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [] }), MANIFEST);
    const annotations = { 'dev.layerwise.image': config.digest, 'dev.layerwise.parent': parent, 'dev.layerwise.built-here': mark, 'org.opencontainers.image.ref.name': name };
    this.write([...this.entries(), { ...manifest, annotations }]);
    return config.digest;
  }

  /** What `index.json` lists. @returns {any[]} */
  entries() {
    return JSON.parse(fs.readFileSync(join(this.root, 'index.json'), 'utf8')).manifests;
  }

  /** @param {unknown[]} manifests */
  write(manifests) {
    fs.writeFileSync(join(this.root, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  }
}

/** A mark that an image was built here. @param {Buffer} key @param {string} image @param {string} parent */
export function markOf(key, image, parent) {
  return `hmac-sha256:${createHmac('sha256', key).update(`layerwise built-here 1\n${image}\n${parent}\n`).digest('hex')}`;
}

/**
 * A cache of one record with a layer, exported to where a repository is; its descriptor.
 * @param {import('../dist/index.js').Engine} engine
 * @param {{ mediaType: string, digest: string, size: number }} layer
 * @param {string} source
 * @param {string} repository
 */
export function exported(engine, layer, source, repository) {
  const exporter = engine.exporter({}, { oci: true, image: true, source: { tag: 'repository', val: source } });
  const annotations = [{ key: 'containerd.io/uncompressed', value: layer.digest }];
  exporter.add({ digest: sha256('step'), results: [{ created: '2026-01-01T00:00:00Z', layers: [{ ...layer, annotations }] }] });
  return JSON.parse(exporter.finalize(repository, `${repository}:main`).descriptor);
}
