// Registries over HTTP: the OCI distribution protocol, with bearer tokens and
// basic authentication. What is read is checked against its digest; a digest
// that a header tells is never used.
import { Failure } from '../errors.js';
import type { Registries, Types } from '../lent.js';
import { follow, shown } from './address.js';
import { sha256, verifies } from './bytes.js';
import { type Credentials, fromDockerConfig } from './credentials.js';
import { checkSize } from './decompress.js';
import { Http, type Response } from './http.js';
import { DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST } from './layout.js';

export interface RemoteOptions {
  /** Registries that plain HTTP is spoken to; those on loopback need not be named. */
  plainHttp?: readonly string[];
  /** Credentials for a registry; out of the Docker config file unless told otherwise. */
  credentials?: (host: string) => Credentials | undefined;
  /** How long the head of an answer is waited for, in milliseconds; 60,000 unless told otherwise. */
  milliseconds?: number;
  /** The time of a transfer, in seconds; an hour unless told otherwise. */
  transferSeconds?: number;
  /** The fewest bytes a second of a transfer, looked at every `transferRateSeconds`; 1,024 and a minute unless told otherwise. */
  transferRate?: number;
  transferRateSeconds?: number;
}

/** A repository of a registry. */
export interface At {
  host: string;
  path: string;
}

const ACCEPT = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(', ');
const LONGEST_MANIFEST = 4 * 2 ** 20;
const LONGEST_ANSWER = 2 ** 20;

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: Uint8Array;
  limit?: number;
  /** Answers besides 2xx that the caller deals with. */
  also?: readonly number[];
}

/** The registries. */
export class Remote {
  readonly #options: RemoteOptions;
  readonly #http = new Http();
  /** What to send in `Authorization`, by registry and scope. */
  readonly #known = new Map<string, string>();

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  close(): void {
    this.#http.close();
  }

  resolve(at: At, reference: string): Types.Descriptor {
    const { body, headers } = this.#ask(at, 'pull', `manifests/${reference}`, { headers: { accept: ACCEPT }, limit: LONGEST_MANIFEST });
    if (reference.includes(':')) check(reference, body);
    const own = parsedType(body);
    const told = (headers['content-type'] ?? '').split(';')[0]?.trim();
    if (own && told && told.startsWith('application/vnd.') && own !== told) {
      throw new Failure('corrupt', `the manifest ${reference} of ${at.host}/${at.path} is ${JSON.stringify(own)} and is said to be ${JSON.stringify(told)}`);
    }
    return { mediaType: own ?? told ?? '', digest: reference.includes(':') ? reference : sha256(body), size: BigInt(body.length), annotations: [] };
  }

  /** A document, on the shelf where its media type tells that it is, or else on the other. */
  document(at: At, digest: string, size: number, isManifest: boolean): Buffer {
    const shelves = isManifest ? ['manifests', 'blobs'] : ['blobs', 'manifests'];
    let missing: unknown;
    for (const shelf of shelves) {
      try {
        return this.#content(at, shelf as string, digest, size);
      } catch (thrown) {
        if (!(thrown instanceof Failure) || thrown.code !== 'not-found') throw thrown;
        missing ??= thrown;
      }
    }
    throw missing;
  }

  blob(at: At, digest: string, size: number): Buffer {
    return this.#content(at, 'blobs', digest, size);
  }

  has(at: At, digest: string): Registries.Presence {
    const { status } = this.#ask(at, 'pull', `blobs/${digest}`, { method: 'HEAD', also: [404] });
    return status === 404 ? 'absent' : 'present';
  }

  /** Stores a blob unless it is there; one of the same registry is taken over. */
  store(at: At, digest: string, bytes: () => Buffer, mount?: string): boolean {
    if (this.has(at, digest) === 'present') return false;
    const query = mount ? `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(mount)}` : '';
    const started = this.#ask(at, 'pull,push', `blobs/uploads/${query}`, { method: 'POST' });
    if (started.status === 201) return true;
    const target = new URL(follow(`${this.#base(at.host)}/v2/${at.path}/blobs/uploads/`, started.headers['location'] ?? ''));
    target.searchParams.set('digest', digest);
    this.#send(at, 'pull,push', target.href, { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: bytes() });
    return true;
  }

  putManifest(at: At, reference: string, mediaType: string, body: Uint8Array): void {
    this.#ask(at, 'pull,push', `manifests/${reference}`, { method: 'PUT', headers: { 'content-type': mediaType }, body });
  }

  tag(at: At, tag: string, digest: string): void {
    const { body, headers } = this.#ask(at, 'pull,push', `manifests/${digest}`, { headers: { accept: ACCEPT }, limit: LONGEST_MANIFEST });
    check(digest, body);
    this.putManifest(at, tag, parsedType(body) ?? headers['content-type'] ?? MANIFEST, body);
  }

  delete(at: At, digest: string): void {
    this.#ask(at, 'pull,push,delete', `manifests/${digest}`, { method: 'DELETE' });
  }

  #content(at: At, shelf: string, digest: string, size: number): Buffer {
    checkSize(digest, BigInt(size));
    const headers: Record<string, string> = shelf === 'manifests' ? { accept: ACCEPT } : {};
    const { body } = this.#ask(at, 'pull', `${shelf}/${digest}`, { headers, limit: size });
    if (body.length < size) throw new Failure('truncated', `${digest} has ${body.length} bytes, expected ${size}`);
    return check(digest, body);
  }

  #ask(at: At, actions: string, what: string, asked: Asked = {}): Response {
    return this.#send(at, actions, `${this.#base(at.host)}/v2/${at.path}/${what}`, asked);
  }

  #send(at: At, actions: string, url: string, asked: Asked): Response {
    const scope = `repository:${at.path}:${actions}`;
    const key = `${at.host} ${scope}`;
    // Credentials go to the registry that they are for, and nowhere else.
    const own = new URL(url).origin === new URL(this.#base(at.host)).origin;
    let response = this.#once(url, asked, own ? this.#known.get(key) : undefined);
    if (response.status === 401 && own) {
      const authorization = this.#authorize(at, scope, response.headers['www-authenticate'] ?? '');
      if (authorization) {
        this.#known.set(key, authorization);
        response = this.#once(url, asked, authorization);
      }
    }
    if ((response.status >= 200 && response.status < 300) || asked.also?.includes(response.status)) return response;
    throw refusal(`${asked.method ?? 'GET'} ${shown(url)}`, response);
  }

  #once(url: string, { method = 'GET', headers = {}, body, limit = LONGEST_ANSWER }: Asked, authorization: string | undefined): Response {
    if (authorization && !/^[ -~]+$/.test(authorization)) throw new Failure('unauthorized', `${method} ${shown(url)}: what proves who is asking cannot be in a header`);
    const all = { ...headers, ...(authorization && { authorization }) };
    const { milliseconds = 60_000, transferSeconds = 3_600, transferRate: rate = 1_024, transferRateSeconds: rateSeconds = 60 } = this.#options;
    return this.#http.request({ method, url, headers: all, ...(body && { body }), limit: Math.max(limit, LONGEST_ANSWER), milliseconds, transferSeconds, rate, rateSeconds });
  }

  /** What a registry wants to see. Tokens are asked for over HTTPS, or on loopback. */
  #authorize({ host }: At, scope: string, challenge: string): string | undefined {
    const credentials = (this.#options.credentials ?? fromDockerConfig)(host);
    const basic = credentials && credentials.user !== '' ? `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}` : undefined;
    if (/^basic\b/i.test(challenge)) return basic;
    if (!/^bearer\b/i.test(challenge)) return undefined;
    const parameter = (name: string) => new RegExp(`[ ,]${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
    const named = parameter('realm') ?? '';
    if (!URL.canParse(named)) throw new Failure('unauthorized', `${host} names ${JSON.stringify(shown(named))} as its service for tokens`);
    const realm = new URL(named);
    const plain = realm.protocol === 'http:' && (isLoopback(realm.hostname) || this.#options.plainHttp?.includes(realm.host));
    if (realm.protocol !== 'https:' && !plain) throw new Failure('denied', `${host} wants a token from ${shown(realm.href)}, which is not https`);
    const service = parameter('service');
    let response: Response;
    if (credentials?.identity) {
      const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: credentials.identity, scope, client_id: 'layerwise', ...(service && { service }) });
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      response = this.#once(realm.href, { method: 'POST', headers, body: Buffer.from(form.toString()) }, undefined);
    } else {
      if (service) realm.searchParams.set('service', service);
      realm.searchParams.set('scope', parameter('scope') ?? scope);
      response = this.#once(realm.href, {}, basic);
    }
    if (response.status !== 200) throw refusal(`a token from ${realm.origin}`, response);
    const given = tokenIn(response.body);
    if (!given) throw new Failure('unauthorized', `${realm.origin} gave no token`);
    return `Bearer ${given}`;
  }

  #base(host: string): string {
    const registry = host === 'docker.io' ? 'registry-1.docker.io' : host;
    const plain = this.#options.plainHttp?.includes(host) ?? false;
    return `${plain || isLoopback(new URL(`http://${host}`).hostname) ? 'http' : 'https'}://${registry}`;
  }
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127(\.[0-9]+){3}$/.test(name);
}

function check(digest: string, body: Uint8Array): Buffer {
  const bytes = Buffer.from(body);
  if (!verifies(digest, bytes)) throw new Failure('corrupt', `what came does not have the digest ${digest}`);
  return bytes;
}

/** The token in an answer; nothing if there is none. The words of the parser could quote it. */
function tokenIn(body: Uint8Array): string | undefined {
  try {
    const { token, access_token } = JSON.parse(Buffer.from(body).toString('utf8')) as { token?: unknown; access_token?: unknown };
    const given = token ?? access_token;
    return typeof given === 'string' ? given : undefined;
  } catch {
    return undefined;
  }
}

function parsedType(body: Uint8Array): string | undefined {
  try {
    const { mediaType } = JSON.parse(Buffer.from(body).toString('utf8')) as { mediaType?: unknown };
    return typeof mediaType === 'string' && mediaType !== '' ? mediaType : undefined;
  } catch {
    return undefined;
  }
}

function refusal(what: string, { status }: Response): Failure {
  const codes: Record<number, Failure['code']> = { 401: 'unauthorized', 403: 'denied', 404: 'not-found', 405: 'unsupported', 409: 'conflict', 413: 'too-large', 429: 'unavailable', 507: 'full' };
  return new Failure(codes[status] ?? (status >= 500 ? 'unavailable' : 'other'), `${what}: the registry answered ${status}`);
}
