// A file system to lend, as somebody would write one: the context of a build on disk, for reading.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../dist/index.js';
import { sha256 } from './support.js';

/** @typedef {import('../dist/index.js').Filesystems.Entry} Entry */
/** @typedef {import('../dist/index.js').Filesystems.Facts} Facts */
/** @typedef {import('../dist/index.js').Filesystem} Filesystem */

/** @implements {Pick<Filesystem, 'stat' | 'listNames' | 'read' | 'walk' | 'hash'>} */
export class Context {
  /** @param {string} name @param {string} root */
  constructor(name, root) {
    this.name = name;
    this.root = root;
  }

  /** @param {string[]} paths @param {boolean} follow @param {Facts} want */
  stat(paths, follow, want) {
    return paths.map((path) => this.#each(path, (at) => this.#entry(path, follow ? this.#real(at) : at, want)));
  }

  /** @param {string} directory */
  listNames(directory) {
    return names(this.#at(directory));
  }

  /** @param {string[]} paths @param {bigint} limit */
  read(paths, limit) {
    return paths.map((path) =>
      this.#each(path, (at) => {
        const bytes = fs.readFileSync(this.#real(at));
        if (BigInt(bytes.length) > limit) throw new Failure('too-large', path);
        return { text: bytes.toString(), lossy: false, digest: sha256(bytes) };
      }),
    );
  }

  /** @param {string} root @param {Facts} want @param {bigint} limit */
  walk(root, want, limit) {
    /** @type {Entry[]} */
    const entries = [];
    const below = (/** @type {string} */ path) => {
      const at = join(this.#at(root), path);
      entries.push(this.#entry(path, at, want));
      if (BigInt(entries.length) > limit) throw new Failure('too-large', root);
      if (fs.lstatSync(at).isDirectory()) for (const name of names(at)) below(path === '.' ? name : `${path}/${name}`);
    };
    below('.');
    return entries;
  }

  /** @param {import('../dist/index.js').Filesystems.Hashing[]} files */
  hash(files) {
    return files.map(({ prefix, path, suffix }) => this.#each(path, (at) => sha256(Buffer.concat([Buffer.from(prefix), fs.readFileSync(this.#real(at)), Buffer.from(suffix)]))));
  }

  /** @param {string} path */
  #at(path) {
    if (path !== this.name && !path.startsWith(`${this.name}/`)) throw new Failure('denied', path);
    return join(this.root, path.slice(this.name.length));
  }

  /** Where a path leads; not out of the context. @param {string} at */
  #real(at) {
    const real = fs.realpathSync(at);
    if (real !== this.root && !real.startsWith(`${this.root}/`)) throw new Failure('denied', at);
    return real;
  }

  /** @template T @param {string} path @param {(at: string) => T} work @returns {T | Failure} */
  #each(path, work) {
    try {
      return work(this.#at(path));
    } catch (thrown) {
      if (thrown instanceof Failure) return thrown;
      return new Failure(/** @type {any} */ (thrown).code === 'ENOENT' ? 'not-found' : 'other', String(thrown));
    }
  }

  /** @param {string} path @param {string} at @param {Facts} want @returns {Entry} */
  #entry(path, at, want) {
    const stat = fs.lstatSync(at);
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'link' : 'other';
    return {
      path,
      kind,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: BigInt(stat.size),
      target: want.target && kind === 'link' ? fs.readlinkSync(at) : undefined,
      attributes: [],
      content: want.content && kind === 'file' ? sha256(fs.readFileSync(at)) : undefined,
      identity: want.identity && kind === 'file' && stat.nlink > 1 ? `${stat.dev} ${stat.ino}` : undefined,
    };
  }
}

/** @param {string} directory */
function names(directory) {
  return fs.readdirSync(directory).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
