// What can go wrong, as classes: one for each case of the component's error
// variant, one for a component that was stopped, and the failures of stores.
import type * as Types from '../gen/interfaces/layerwise-cache-types.js';

/** Which case of the component's error variant it is, or what the host adds. */
export type Kind = Types.Error['tag'] | 'stopped' | 'closed' | 'deadline';

/** Everything the component refuses, and everything that ends it. */
export class LayerwiseError extends Error {
  override name = 'LayerwiseError';
  readonly kind: Kind;
  /** A stable code, such as `docker/child-unreadable`. */
  readonly code: string;
  /** What was being done, such as `lookup`; empty when not known. */
  readonly operation: string;
  /** The thing it was done to; empty when not known. */
  readonly subject: string;

  constructor(kind: Kind, problem: Partial<Types.Problem> & { message: string }, options?: ErrorOptions) {
    super(problem.message, options);
    this.kind = kind;
    this.code = problem.code ?? kind;
    this.operation = problem.operation ?? '';
    this.subject = problem.subject ?? '';
  }
}

/** An argument is not acceptable. */
export class Invalid extends LayerwiseError {
  override name = 'Invalid';
}
/** A named thing does not exist. */
export class NotFound extends LayerwiseError {
  override name = 'NotFound';
}
/** A stored document is not what it should be. */
export class Corrupt extends LayerwiseError {
  override name = 'Corrupt';
}
/** The session was committed and cannot be changed any more. */
export class Committed extends LayerwiseError {
  override name = 'Committed';
}
/** Somebody else changed the same thing. */
export class Conflict extends LayerwiseError {
  override name = 'Conflict';
}
/** The host refused access. */
export class Denied extends LayerwiseError {
  override name = 'Denied';
}
/** The named version or feature does not exist. */
export class Unsupported extends LayerwiseError {
  override name = 'Unsupported';
}
/** An import failed. */
export class HostFailed extends LayerwiseError {
  override name = 'HostFailed';
}
/** Anything else the component says. */
export class Other extends LayerwiseError {
  override name = 'Other';
}

/** A cap was met. */
export class LimitExceeded extends LayerwiseError {
  override name = 'LimitExceeded';
  /** The name of the cap, as in `limits`. */
  readonly limit: string;
  readonly value: bigint;

  constructor(excess: Types.Excess) {
    const { limit, value, operation, subject } = excess;
    super('limit-exceeded', { ...excess, message: `${operation}: ${JSON.stringify(subject)} meets the limit ${limit} of ${value}` });
    this.limit = limit;
    this.value = value;
  }
}

/**
 * The component trapped, or ran out of memory or stack. The instance is gone,
 * and every session in it: open another one.
 */
export class Stopped extends LayerwiseError {
  override name = 'Stopped';

  constructor(operation: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super('stopped', { operation, message: `the component stopped during ${operation}: ${why}` }, { cause });
  }
}

/** Something was used that was closed before. */
export class Closed extends LayerwiseError {
  override name = 'Closed';

  constructor(operation: string) {
    super('closed', { operation, message: `${operation}: it was closed` });
  }
}

/** The time that was given is up; the work was ended. */
export class DeadlineExceeded extends LayerwiseError {
  override name = 'DeadlineExceeded';

  constructor(milliseconds: number) {
    super('deadline', { message: `the deadline of ${milliseconds} ms has passed` });
  }
}

const CLASSES = {
  invalid: Invalid,
  'not-found': NotFound,
  corrupt: Corrupt,
  committed: Committed,
  conflict: Conflict,
  denied: Denied,
  unsupported: Unsupported,
  host: HostFailed,
} as const;

/** The class of errors of a kind. */
export function classOf(kind: Kind): { prototype: LayerwiseError } {
  const others = { 'limit-exceeded': LimitExceeded, other: Other, stopped: Stopped, closed: Closed, deadline: DeadlineExceeded };
  return { ...CLASSES, ...others }[kind];
}

/** The exception for an error of the component. */
export function errorOf(error: Types.Error): LayerwiseError {
  if (error.tag === 'limit-exceeded') return new LimitExceeded(error.val);
  if (error.tag === 'other') return new Other('other', { message: error.val });
  return new CLASSES[error.tag](error.tag, error.val);
}

/**
 * A failure of a store, with a code the component understands. Stores throw it,
 * or put it in place of one item of an answer.
 */
export class Failure extends Error {
  override name = 'Failure';

  constructor(
    readonly code: Types.FailureCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const SYSTEM: Readonly<Record<string, readonly [Types.FailureCode, string]>> = {
  ENOENT: ['not-found', 'it does not exist'],
  ENOTDIR: ['other', 'it or a part of it is not a directory'],
  ELOOP: ['other', 'too many links'],
  EISDIR: ['other', 'it is a directory'],
  ENOTEMPTY: ['other', 'the directory is not empty'],
  ENAMETOOLONG: ['other', 'it is too long'],
  EMFILE: ['unavailable', 'too many files are open'],
  ENFILE: ['unavailable', 'too many files are open'],
  EIO: ['unavailable', 'input or output failed'],
  EEXIST: ['conflict', 'something is there already'],
  EACCES: ['denied', 'permission denied'],
  EPERM: ['denied', 'permission denied'],
  EROFS: ['denied', 'the file system is read-only'],
  ENOSPC: ['full', 'no room is left on the device'],
  EDQUOT: ['full', 'the quota is used up'],
  EFBIG: ['too-large', 'it is larger than the system allows'],
  ENOSYS: ['unsupported', 'not supported there'],
  EOPNOTSUPP: ['unsupported', 'not supported there'],
};

/** Any exception of a store as a failure; `action` is put in front when it is known. */
export function failureOf(thrown: unknown, action = ''): Failure {
  if (thrown instanceof Failure) return thrown;
  const { code, message } = (thrown ?? {}) as { code?: unknown; message?: unknown };
  const [kind, words] = SYSTEM[String(code)] ?? ['other', typeof message === 'string' ? message : String(thrown)];
  return new Failure(kind, action ? `cannot ${action}: ${words}` : words, { cause: thrown });
}
