// A registry that wants to know a secret, or to keep a build waiting. A process of
// its own, because stores wait for it on their thread. Prints its ports: that of the
// registry, and that of another server; `/seen` of that one answers what it had.
import { createServer } from 'node:http';

/** @type {string[]} */
const seen = [];
const other = createServer((request, response) => {
  if (request.url === '/seen') return response.end(JSON.stringify(seen));
  seen.push(request.headers.authorization ?? '');
  response.end('{}');
});
const server = createServer((request, response) => {
  const { url = '', headers } = request;
  const port = /** @type {import('node:net').AddressInfo} */ (other.address()).port;
  const repository = url.split('/')[2] ?? '';
  const refuse = (/** @type {number} */ status, /** @type {string} */ words) => {
    response.writeHead(status).end(JSON.stringify({ errors: [{ code: 'DENIED', message: words }] }));
  };
  if (url.startsWith('/signed')) return refuse(503, `the signature of ${url} is too old`);
  if (repository === 'echo') {
    if (!headers.authorization) return response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    return refuse(403, `no ${headers.authorization}`);
  }
  if (repository === 'elsewhere' && !headers.authorization) return response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
  if (repository === 'elsewhere') return response.writeHead(307, { location: `http://127.0.0.1:${port}/moved?X-Amz-Signature=0123456789abcdef` }).end();
  if (repository === 'signed') return response.writeHead(307, { location: '/signed?X-Amz-Signature=0123456789abcdef' }).end();
  if (repository === 'ftp') return response.writeHead(307, { location: 'ftp://user:pass-word@x/y?X-Amz-Signature=0123456789abcdef' }).end();
  if (repository === 'loop') return response.writeHead(307, { location: url }).end();
  if (repository === 'large') return void response.writeHead(200, { 'content-length': String(99 * 2 ** 40) }).write('x');
  if (repository === 'silent') return;
  // A byte now and then.
  response.writeHead(200);
  const drip = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(drip));
});
other.listen(0, '127.0.0.1', () =>
  server.listen(0, '127.0.0.1', () => {
    const port = (/** @type {import('node:http').Server} */ of) => /** @type {import('node:net').AddressInfo} */ (of.address()).port;
    console.log(`${port(server)} ${port(other)}`);
  }),
);
