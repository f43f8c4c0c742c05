// Marks: "this image was built here", in a form that no layout can bring along.
//
// A layout comes from anywhere, and its annotations with it. So a mark is a keyed
// hash, and the key is a file of this user outside of every layout. `MARKS.md`
// beside the Rust stores says what every host language keeps to.
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { Failure, failureOf } from '../errors.js';
import { quoted } from './bytes.js';
import { codeOf } from './places.js';

/** What says that an image was not built here; it needs no key. */
export const ELSEWHERE = 'false';
const KEYS = /^(?:[0-9a-f]{64}\n){1,16}$/;
const LARGEST = 65 * 16;

/** Where the key of this user is; nothing where that is not known. */
export function userKeyFile(): string | undefined {
  const { LAYERWISE_MARKS_KEY: named, XDG_STATE_HOME: state = '', HOME: home = '' } = process.env;
  if (named) return named;
  if (isAbsolute(state)) return join(state, 'layerwise/marks.key');
  return isAbsolute(home) ? join(home, '.local/state/layerwise/marks.key') : undefined;
}

/** Makes and checks marks with the key in a file; without one none holds. */
export class Marks {
  constructor(readonly keyFile: string | undefined) {}

  /** The first of the texts in the entries of an image that means something. */
  deciding(image: string, parent: string | undefined, texts: readonly string[]): string | undefined {
    return texts.find((text) => this.holds(image, parent, text));
  }

  /** Whether the text in an entry means something. */
  holds(image: string, parent: string | undefined, text: string): boolean {
    if (text === ELSEWHERE) return true;
    if (!/^hmac-sha256:[0-9a-f]{64}$/.test(text)) return false;
    return this.#keys().some((key) => timingSafeEqual(Buffer.from(text), Buffer.from(mark(key, image, parent))));
  }

  /** A mark with the first key; makes the key if there is none. */
  make(image: string, parent: string | undefined): string {
    const [key = this.#made()] = this.#keys();
    return mark(key, image, parent);
  }

  /** All keys; `undefined` if the file is missing. */
  #keys(): Buffer[] {
    if (this.keyFile === undefined) return [];
    const text = this.#read(this.keyFile);
    if (text === undefined) return [];
    if (!KEYS.test(text)) throw new Failure('corrupt', `${this.#what()}: it is not 1 to 16 lines of 64 lower-case hex digits`);
    return text.trimEnd().split('\n').map((line) => Buffer.from(line, 'hex'));
  }

  #read(path: string): string | undefined {
    const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
    const notOurs = () => new Failure('denied', `${this.#what()}: it is not a file that only this user can read and write`);
    let fd: number;
    try {
      fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (thrown) {
      if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR') return undefined;
      if (codeOf(thrown) === 'ELOOP') throw notOurs();
      throw failureOf(thrown, `read the key of marks ${quoted(path)}`);
    }
    try {
      const stat = fs.fstatSync(fd);
      if (!stat.isFile() || stat.uid !== process.geteuid?.() || (stat.mode & 0o077) !== 0) throw notOurs();
      const bytes = Buffer.alloc(LARGEST + 1);
      return bytes.toString('latin1', 0, fs.readSync(fd, bytes));
    } finally {
      fs.closeSync(fd);
    }
  }

  #what(): string {
    return `cannot use the key of marks ${quoted(this.keyFile ?? '')}`;
  }

  /** Makes the key: under its name only when it is complete, and never over another one. */
  #made(): Buffer {
    const path = this.keyFile;
    if (path === undefined) throw new Failure('unsupported', 'no directory for the key of marks is known: set LAYERWISE_MARKS_KEY');
    const temporary = join(dirname(path), `.marks.${randomUUID()}`);
    try {
      fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      fs.writeFileSync(temporary, `${randomBytes(32).toString('hex')}\n`, { flag: 'wx', mode: 0o600, flush: true });
      try {
        fs.linkSync(temporary, path);
      } catch (thrown) {
        if (codeOf(thrown) !== 'EEXIST') throw thrown;
      } finally {
        fs.unlinkSync(temporary);
      }
    } catch (thrown) {
      throw failureOf(thrown, `make the key of marks ${quoted(path)}`);
    }
    const [key] = this.#keys();
    if (!key) throw new Failure('conflict', `the key of marks ${quoted(path)} was taken away meanwhile`);
    return key;
  }
}

function mark(key: Buffer, image: string, parent: string | undefined): string {
  return `hmac-sha256:${createHmac('sha256', key).update(`layerwise built-here 1\n${image}\n${parent ?? ''}\n`).digest('hex')}`;
}
