// The bridge's HTTP side: requests in, JSON out, on loopback only. It knows the link to WhatsApp through `link` alone.
import http from 'node:http';

// A request here is a line and a few headers from the same machine; whoever is slower or bigger is not a worker of ours.
export const HEADER_BYTES_MAX = 8 * 1024;
export const REQUEST_MS_MAX = 5000;

const JSON_HEADERS = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };

// link: () => ({connected, paired, canSend}). Three states, because an open socket is not a paired phone and a paired
// phone may still be refused to send (F-49).
export function createServer({ link, version, now = () => new Date() }) {
  const startedAt = now();
  const server = http.createServer(
    { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: REQUEST_MS_MAX, requestTimeout: REQUEST_MS_MAX },
    (request, response) => {
      request.resume(); // A body is of no use to any route here, and an unread one would hold the connection.
      const { status, body, headers } = answer(request, () => health({ link, version, startedAt, now: now() }));
      const text = JSON.stringify(body);
      response.writeHead(status, { ...JSON_HEADERS, ...headers, 'content-length': Buffer.byteLength(text) });
      response.end(request.method === 'HEAD' ? undefined : text);
    },
  );
  return server;
}

// A page in a browser on this machine must not reach us through a name that resolves to loopback (DNS rebinding).
function isOurHost(host) {
  return /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host ?? '');
}

function answer(request, healthDocument) {
  if (!isOurHost(request.headers.host)) {
    return { status: 403, body: { ok: false, error: 'Host must be 127.0.0.1 or localhost' } };
  }
  const path = request.url.split('?', 1)[0];
  if (path !== '/health') {
    return { status: 404, body: { ok: false, error: `no such path: ${path}; there is GET /health` } };
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, headers: { allow: 'GET, HEAD' }, body: { ok: false, error: 'use GET' } };
  }
  return { status: 200, body: healthDocument() };
}

function health({ link, version, startedAt, now }) {
  const { connected, paired, canSend } = link();
  return {
    ok: true,
    connected,
    paired,
    can_send: canSend,
    version,
    pid: process.pid,
    uptime_seconds: Math.floor((now - startedAt) / 1000),
    timestamp: now.toISOString(),
  };
}
