// A registry that wants a bearer token, for the tests: one repository in memory.
// A process of its own, because stores wait for it on their thread. Prints its
// port; returns what the path `/seen` asks for: the requests it had.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

/** @type {Map<string, { bytes: Buffer, type: string }>} */
const content = new Map();
/** @type {string[]} */
const seen = [];

const server = createServer((request, response) => {
  /** @type {Buffer[]} */
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const url = new URL(request.url ?? '', `http://127.0.0.1:${port}`);
    const { authorization = '' } = request.headers;
    const answer = (/** @type {number} */ status, /** @type {object} */ headers = {}, /** @type {string | Buffer} */ body = '') => response.writeHead(status, /** @type {any} */ (headers)).end(request.method === 'HEAD' ? undefined : body);
    if (url.pathname === '/seen') return answer(200, {}, JSON.stringify(seen));
    seen.push(`${request.method} ${url.pathname}`);
    if (url.pathname === '/token') {
      const right = authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`;
      return right ? answer(200, {}, JSON.stringify({ token: url.searchParams.get('scope') })) : answer(401);
    }
    const [, kind = '', name = ''] = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(url.pathname) ?? [];
    const push = !['GET', 'HEAD'].includes(request.method ?? '');
    const allowed = push ? ['pull,push'] : ['pull', 'pull,push'];
    if (!allowed.some((actions) => authorization === `Bearer repository:app:${actions}`)) {
      return answer(401, { 'www-authenticate': `Bearer realm="http://127.0.0.1:${port}/token",service="test"` });
    }
    const bytes = Buffer.concat(parts);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (request.method === 'POST') return answer(202, { location: '/v2/app/blobs/uploads/1?state=a' });
    if (request.method === 'PUT') {
      const type = request.headers['content-type'] ?? '';
      for (const key of kind === 'manifests' ? [name, digest] : [url.searchParams.get('digest') ?? '']) content.set(key, { bytes, type });
      return answer(201);
    }
    const found = content.get(name);
    if (!found) return answer(404);
    // A liar: the name `lies` has other bytes than its digest.
    const lies = content.get('lies')?.bytes.equals(found.bytes) && name.startsWith('sha256:');
    answer(200, { 'content-type': found.type }, lies ? Buffer.from(found.bytes).fill(32, 0, 1) : found.bytes);
  });
});
server.listen(0, '127.0.0.1', () => console.log(/** @type {import('node:net').AddressInfo} */ (server.address()).port));
