// Writing a file so that afterwards the old or the new bytes are there, whatever
// happens: written beside it, brought to the disk, checked once more, renamed.
//
// Node has no advisory locks. Writers of this package exclude each other by a
// file that names the process; other programs are noticed by the precondition.
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { Failure } from '../errors.js';
import type { Filesystems } from '../lent.js';
import { parseDigest, sha256 } from './bytes.js';
import { changed, codeOf, type Directory, errno, type Place } from './places.js';

/** How the names begin that writing uses itself, that of other languages, too. */
const OURS = '.layerwise-write.';
/** The name of the lock: not that of other languages, who would remove it with their own. */
const LOCK = Buffer.from(`${OURS}pid`);
/** Held by who takes away the lock of a dead writer. */
const THEFT = Buffer.from(`${OURS}theft`);
const WAIT = 30_000;
const PAUSE = 5;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;

/** Whether a name is one that writing uses itself. */
export function isOurs(name: Buffer): boolean {
  return name.toString('latin1').startsWith(OURS);
}

/** Writes one file. */
export function replace(place: Place, change: Filesystems.Change): void {
  const { name, directory } = place;
  if (change.precondition.tag === 'unchanged' && !parseDigest(change.precondition.val)?.algorithm.startsWith('sha256')) {
    throw new Failure('invalid', 'the digest in its precondition is not a sha256 one');
  }
  if (change.mode > 0o7777) throw new Failure('invalid', 'the mode has more than 12 bits');
  if (!name || place.only) throw errno('EISDIR');
  if (isOurs(name)) throw new Failure('invalid', 'the name is one that writing uses itself');
  locked(directory, () => {
    const old = check(place, name, change.precondition);
    // A name that nobody else makes: writers of other languages know no lock of ours.
    const temporary = directory.child(Buffer.from(`${OURS}${randomUUID()}`));
    try {
      fill(temporary, change, old);
      take(place, name, temporary, change.precondition);
    } catch (thrown) {
      remove(temporary);
      throw thrown;
    }
    directory.sync();
  });
}

/** Holds the lock of a directory. */
export function locked<T>(directory: Directory, work: () => T): T {
  const lock = directory.child(LOCK);
  const end = Date.now() + WAIT;
  while (!tryLock(directory, lock)) {
    if (Date.now() > end) throw new Failure('unavailable', 'another writer keeps the lock of its directory');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
  }
  try {
    return work();
  } finally {
    remove(lock);
  }
}

function tryLock(directory: Directory, lock: Buffer): boolean {
  try {
    const fd = fs.openSync(lock, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
    fs.writeSync(fd, String(process.pid));
    fs.closeSync(fd);
    return true;
  } catch (thrown) {
    if (codeOf(thrown) !== 'EEXIST') throw thrown;
  }
  try {
    const holder = Number(fs.readFileSync(lock, 'utf8'));
    if (holder > 0 && !isAlive(holder)) steal(directory, lock, holder);
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown;
  }
  return false;
}

/** Takes a dead writer's lock away, and no other one: only one thief at a time looks once more and removes it. */
function steal(directory: Directory, lock: Buffer, holder: number): void {
  const theft = directory.child(THEFT);
  try {
    fs.closeSync(fs.openSync(theft, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600));
  } catch (thrown) {
    if (codeOf(thrown) === 'EEXIST') return;
    throw thrown;
  }
  try {
    if (Number(fs.readFileSync(lock, 'utf8')) === holder) remove(lock);
  } finally {
    remove(theft);
  }
}

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch (thrown) {
    return codeOf(thrown) !== 'ESRCH';
  }
}

/** The file there, when what must hold does. */
function check({ directory, linked }: Place, name: Buffer, wanted: Filesystems.Precondition): fs.BigIntStats | undefined {
  const old = fs.lstatSync(directory.child(name), { bigint: true, throwIfNoEntry: false });
  if (wanted.tag === 'absent') {
    if (linked || old) throw errno('EEXIST');
    return undefined;
  }
  if (wanted.tag === 'unchanged') {
    if (!old?.isFile()) throw new Failure('conflict', 'the file is not there any more');
    const { fd } = directory.openFile(name);
    try {
      const found = sha256(fs.readFileSync(fd));
      if (found !== wanted.val) throw new Failure('conflict', `it has digest ${found}, not ${wanted.val}`);
    } finally {
      fs.closeSync(fd);
    }
  }
  if (!old || old.isFile()) return old;
  if (old.isDirectory()) throw errno('EISDIR');
  if (old.isSymbolicLink()) throw changed();
  throw new Failure('unsupported', 'it is not a regular file');
}

/** Writes the new bytes; an existing file keeps its mode, and its owner where that may be set. */
function fill(temporary: Buffer, change: Filesystems.Change, old: fs.BigIntStats | undefined): void {
  const fd = fs.openSync(temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, change.mode);
  try {
    fs.writeFileSync(fd, change.text);
    if (old) {
      const now = fs.fstatSync(fd, { bigint: true });
      if (now.uid !== old.uid || now.gid !== old.gid) keepOwner(fd, old);
      fs.fchmodSync(fd, Number(old.mode & 0o7777n));
    }
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function keepOwner(fd: number, old: fs.BigIntStats): void {
  try {
    fs.fchownSync(fd, Number(old.uid), Number(old.gid));
  } catch (thrown) {
    if (codeOf(thrown) !== 'EPERM') throw thrown;
  }
}

function take(place: Place, name: Buffer, temporary: Buffer, wanted: Filesystems.Precondition): void {
  const target = place.directory.child(name);
  if (wanted.tag === 'absent') {
    fs.linkSync(temporary, target);
    remove(temporary);
    return;
  }
  if (wanted.tag === 'unchanged') check(place, name, wanted);
  fs.renameSync(temporary, target);
}

function remove(path: Buffer): void {
  try {
    fs.unlinkSync(path);
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown;
  }
}
