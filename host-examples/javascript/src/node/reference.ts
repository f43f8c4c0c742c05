// Names of images as Docker reads them: `[domain/]path[:tag][@digest]`, short
// ones completed. The rules are those of github.com/distribution/reference.
import { Failure } from '../errors.js';
import { parseDigest, quoted } from './bytes.js';
import { isName } from './layout.js';

/** A name, completed. */
export interface Named {
  domain: string;
  path: string;
  tag: string | undefined;
  digest: string | undefined;
  /** Such as `docker.io/library/busybox:latest`. */
  full: string;
}

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const DOMAIN = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[A-Fa-f0-9:]+\\])(?::[0-9]+)?$`);
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** The name in a text; nothing if it is not one. */
export function parseReference(text: string): Named | undefined {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isDomain = first === 'localhost' || /[.:A-Z]/.test(first);
  const domain = isDomain && first !== 'index.docker.io' ? first : 'docker.io';
  const rest = isDomain ? text.slice(slash + 1) : text;
  const [, name = '', tag, digest] = /^([^:@]*)(?::([^@]*))?(?:@(.*))?$/s.exec(rest) ?? [];
  const path = domain === 'docker.io' && !name.includes('/') ? `library/${name}` : name;
  if (!DOMAIN.test(domain) || !PATH.test(path) || path.length > 255) return undefined;
  if ((tag !== undefined && !TAG.test(tag)) || (digest !== undefined && !parseDigest(digest))) return undefined;
  return { domain, path, tag, digest, full: `${domain}/${path}${digest ? `@${digest}` : `:${tag ?? 'latest'}`}` };
}

/** Where content is: a directory or a repository of a registry. */
export type Where = { layout: string } | { host: string; path: string };

/** What a reference names there: a tag, a digest, or whatever is the usual. */
export interface Target {
  where: Where;
  tag: string | undefined;
  digest: string | undefined;
}

/** Reads `oci:PATH[:NAME][@DIGEST]` or a name, with `docker://` in front or not. */
export function targetOf(text: string): Target {
  if (!text.startsWith('oci:')) {
    const bare = text.replace(/^docker:\/\//, '');
    const named = parseDigest(bare) || parseDigest(`sha256:${bare}`) ? undefined : parseReference(bare);
    if (!named) throw new Failure('invalid', `${quoted(text)} is not a reference`);
    return { where: { host: named.domain, path: named.path }, tag: named.digest ? undefined : named.tag, digest: named.digest };
  }
  let rest = text.slice(4);
  const at = rest.lastIndexOf('@');
  const digest = at >= 0 && parseDigest(rest.slice(at + 1)) ? rest.slice(at + 1) : undefined;
  if (digest) rest = rest.slice(0, at);
  const colon = rest.indexOf(':');
  const layout = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (layout === '' || layout.includes('\0')) throw new Failure('invalid', `${quoted(text)} is not a reference into a layout: it has no path`);
  if (tag !== undefined && !isName(tag)) {
    throw new Failure('invalid', `${quoted(text)} is not a reference into a layout: a name consists of letters and digits, joined by "-._:@+/"`);
  }
  return { where: { layout }, tag: digest ? undefined : tag, digest };
}

/** The name of a repository. */
export function repositoryOf(where: Where): string {
  return 'layout' in where ? `oci:${where.layout}` : `${where.host}/${where.path}`;
}

/** Reads what `repositoryOf` wrote. */
export function whereOf(repository: string): Where {
  const { where, tag, digest } = targetOf(repository);
  if (tag === undefined && digest === undefined && repositoryOf(where) === repository) return where;
  throw new Failure('invalid', `${quoted(repository)} is not a repository`);
}
