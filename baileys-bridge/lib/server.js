// The bridge's HTTP side (docs/bridge-api.md): requests in, JSON out, on loopback only.
import { createHash, timingSafeEqual } from 'node:crypto';
import http from 'node:http';

import { StorageError } from './database.js';
import { EVENTS_PER_CALL_MAX } from './events.js';
import { NotConnected, PairingConflict } from './link.js';
import { log, redacted } from './log.js';
import { MediaError } from './media.js';
import { outboxView } from './outbox.js';
import { address, BadRequest, readRequest } from './outgoing.js';
import { qrModules, qrSvg } from './qr.js';

// A request here is a line and a few headers from the same machine; whoever is slower or bigger is not a worker of ours.
export const HEADER_BYTES_MAX = 8 * 1024;
export const REQUEST_MS_MAX = 5000;
export const BODY_BYTES_MAX = 1024 * 1024;
export const WAIT_SECONDS_MAX = 30;
const CONNECTIONS_MAX = 256; // Workers and a terminal; each worker keeps a few.

const BASE_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

class HttpError extends Error {
  constructor(status, code, message, { retryable = false, headers = {} } = {}) {
    super(message);
    Object.assign(this, { status, code, retryable, headers });
  }
}

const json = (status, body, headers = {}) => ({
  status,
  headers: { ...headers, 'content-type': 'application/json; charset=utf-8' },
  body: Buffer.from(JSON.stringify(body)),
});

// A page in a browser on this machine must not reach us through a name that resolves to loopback (DNS rebinding).
const isOurHost = (host) => /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host ?? '');

const digest = (text) => createHash('sha256').update(text).digest();

// bridge: {link, pump, outbox, events, media, outgoingFolder, secret, version, startedAt, stopping()}
export function createServer(bridge) {
  const secret = digest(`Bearer ${bridge.secret}`);
  const routes = makeRoutes(bridge);
  const server = http.createServer(
    { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: REQUEST_MS_MAX, requestTimeout: REQUEST_MS_MAX },
    async (request, response) => {
      const answer = await respond(routes, secret, bridge, request).catch((error) => refusal(error));
      // What was not read of a body would otherwise hold the connection.
      if (!request.complete) {
        answer.headers.connection = 'close';
        request.resume();
      }
      response.writeHead(answer.status, { ...BASE_HEADERS, ...answer.headers, 'content-length': answer.body.length });
      response.end(request.method === 'HEAD' ? undefined : answer.body);
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}

async function respond(routes, secret, bridge, request) {
  if (!isOurHost(request.headers.host)) {
    throw new HttpError(403, 'forbidden_host', 'Host must be 127.0.0.1 or localhost');
  }
  const url = new URL(request.url, 'http://127.0.0.1');
  const matches = routes.filter((route) => route.path.test(url.pathname));
  const open = matches.some((route) => route.open);
  // Hashed first: equal lengths, and no timing that tells how much of a guess was right.
  if (!open && !timingSafeEqual(digest(request.headers.authorization ?? ''), secret)) {
    throw new HttpError(401, 'unauthorized', 'Authorization: Bearer BAILEYS_SECRET is needed', {
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
  if (matches.length === 0) {
    throw new HttpError(404, 'not_found', `no such path: ${url.pathname.slice(0, 100)}`);
  }
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = matches.find((candidate) => candidate.method === method);
  if (!route) {
    const allow = matches.map((candidate) => candidate.method).join(', ');
    throw new HttpError(405, 'wrong_method', `use ${allow}`, { headers: { allow } });
  }
  if (bridge.stopping() && route.method !== 'GET') {
    throw new HttpError(503, 'stopping', 'the bridge is ending', { retryable: true });
  }
  const parameters = url.pathname.match(route.path).slice(1).map(decoded);
  const body = route.body ? await readJson(request) : undefined;
  return route.handle({ parameters, query: url.searchParams, body, request });
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, 'bad_request', 'the path is not valid percent-encoding');
  }
}

async function readJson(request) {
  const tooLarge = () => new HttpError(413, 'too_large', `a body has at most ${BODY_BYTES_MAX} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) {
    throw tooLarge();
  }
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > BODY_BYTES_MAX) {
      throw tooLarge();
    }
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new HttpError(400, 'bad_request', 'the body must be JSON');
  }
}

function refusal(error) {
  let told = error;
  if (error instanceof BadRequest) {
    told = new HttpError(400, 'bad_request', error.message);
  } else if (error instanceof PairingConflict) {
    told = new HttpError(409, 'conflict', error.message);
  } else if (error instanceof NotConnected) {
    told = new HttpError(503, 'not_connected', error.message, { retryable: true });
  } else if (error instanceof StorageError) {
    told = new HttpError(507, error.kind === 'full' ? 'storage_full' : 'storage_failed', error.message, { retryable: true });
  } else if (error instanceof MediaError) {
    const status = { media_gone: 410, media_refused: 422 }[error.code] ?? 503;
    told = new HttpError(status, error.code, error.message, { retryable: status === 503 });
  } else if (!(error instanceof HttpError)) {
    log('request_failed', { error: redacted(error?.message ?? error) });
    told = new HttpError(500, 'internal', 'a fault of the bridge; see its log', { retryable: true });
  }
  const { code, message, retryable } = told;
  return json(told.status, { error: { code, message, retryable } }, told.headers);
}

function makeRoutes(bridge) {
  return [
    { method: 'GET', path: /^\/health$/, open: true, handle: () => json(200, health(bridge)) },
    ...sessionRoutes(bridge),
    ...messageRoutes(bridge),
    ...eventRoutes(bridge),
    ...chatRoutes(bridge),
    { method: 'GET', path: /^\/metrics$/, handle: () => metrics(bridge) },
  ];
}

export function health({ link, version, startedAt, now = () => new Date() }) {
  const { connected, paired, canSend } = link.truths;
  return {
    ok: true,
    connected,
    paired,
    can_send: canSend,
    state: link.state,
    reason: link.reason,
    version,
    pid: process.pid,
    uptime_seconds: Math.floor((now() - startedAt) / 1000),
    timestamp: now().toISOString(),
  };
}

function sessionRoutes({ link, pump, outbox, events, ...bridge }) {
  const session = () => {
    const last = events.last();
    const acknowledged = events.acknowledged();
    const { queued, sending } = outbox.counts();
    return {
      ...health({ link, ...bridge }),
      code: link.code,
      since: link.since.toISOString(),
      me: link.me,
      qr_seq: link.qrSeq,
      pairing: link.pairing,
      reconnect: link.reconnect,
      restricted_until: (link.restrictedUntil ?? pump.restrictedUntil)?.toISOString() ?? null,
      outbox: { queued, sending },
      events: { last, acknowledged },
    };
  };
  const pair = async ({ body }) => {
    if (body?.method === 'qr') {
      await link.pair('qr');
      return json(202, { method: 'qr' });
    }
    if (body?.method === 'code') {
      const phone = address(body.phone).split('@')[0];
      const { code, expiresAt } = await link.pair('code', phone);
      return json(200, { method: 'code', code, expires_at: new Date(expiresAt).toISOString() });
    }
    throw new BadRequest('method: qr or code');
  };
  return [
    { method: 'GET', path: /^\/v1\/session$/, handle: () => json(200, session()) },
    { method: 'POST', path: /^\/v1\/session\/pair$/, body: true, handle: pair },
    {
      method: 'DELETE',
      path: /^\/v1\/session\/pair$/,
      handle: async () => json(202, { cancelled: await link.cancelPairing() }),
    },
    {
      method: 'GET',
      path: /^\/v1\/session\/qr$/,
      handle: () => {
        if (!link.qr) {
          throw new HttpError(404, 'not_found', 'there is no QR code; POST /v1/session/pair asks for one', { retryable: true });
        }
        const modules = qrModules(link.qr.qr);
        return json(200, { ...link.qr, svg: modules && qrSvg(modules) });
      },
    },
    {
      method: 'POST',
      path: /^\/v1\/session\/logout$/,
      handle: async () => {
        await link.logout();
        return json(202, { state: link.state });
      },
    },
  ];
}

function messageRoutes({ link, pump, outbox, outgoingFolder }) {
  const send = ({ body, request }) => {
    const key = request.headers['idempotency-key'] ?? '';
    if (!/^[!-~]{1,128}$/.test(key)) {
      throw new BadRequest('Idempotency-Key: 1-128 printable characters without a blank');
    }
    const added = outbox.add(key, readRequest(body, outgoingFolder), { ownId: link.me?.id });
    if (added === undefined) {
      throw new HttpError(409, 'conflict', 'this Idempotency-Key belongs to another message');
    }
    if (added === 'full') {
      throw new HttpError(503, 'outbox_full', 'too many messages wait', { retryable: true });
    }
    if (!added.created) {
      return json(200, outboxView(added.row));
    }
    pump.kick();
    return json(202, outboxView(added.row));
  };
  const find = (id) => {
    const row = outbox.byId(id) ?? outbox.byWaId(id);
    if (!row) {
      throw new HttpError(404, 'not_found', 'no such message');
    }
    return row;
  };
  const cancel = ({ parameters: [id] }) => {
    const row = find(id);
    if (pump.isInFlight(row) || !outbox.cancel(row)) {
      throw new HttpError(409, 'conflict', `too late: the message is ${outbox.byId(row.id).state}`);
    }
    return json(200, outboxView(outbox.byId(row.id)));
  };
  const path = /^\/v1\/messages\/([^/]+)$/;
  return [
    { method: 'POST', path: /^\/v1\/messages$/, body: true, handle: send },
    { method: 'GET', path, handle: ({ parameters: [id] }) => json(200, outboxView(find(id))) },
    { method: 'DELETE', path, handle: cancel },
  ];
}

function whole(query, name, fallback, min, max) {
  const text = query.get(name);
  if (text === null) {
    return fallback;
  }
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw new BadRequest(`${name}: ${min}-${max}`);
  }
  return value;
}

function eventRoutes({ events, media }) {
  const list = async ({ query, request }) => {
    const acknowledged = events.acknowledged();
    const after = whole(query, 'after', acknowledged, 0, Number.MAX_SAFE_INTEGER);
    const limit = whole(query, 'limit', 100, 1, EVENTS_PER_CALL_MAX);
    const wait = whole(query, 'wait', 0, 0, WAIT_SECONDS_MAX);
    const gone = new AbortController();
    const close = () => gone.abort();
    request.socket.once('close', close);
    const found = await events.wait(after, limit, wait * 1000, gone.signal);
    request.socket.off('close', close);
    return json(200, { events: found, next: found.at(-1)?.seq ?? after, acknowledged });
  };
  const acknowledge = ({ body }) => {
    if (!Number.isSafeInteger(body?.upto) || body.upto < 0) {
      throw new BadRequest('upto: the seq of the last event you stored');
    }
    return json(200, { acknowledged: events.acknowledge(body.upto) });
  };
  const file = async ({ parameters: [event_id] }) => {
    const found = events.message(event_id);
    if (!found) {
      throw new HttpError(404, 'not_found', 'no such message');
    }
    const { mime, bytes } = await media.fetch(event_id, found.message);
    // The type is the sender's word; a header has no room for what else they may write there.
    const type = /^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w.+-]+)*$/.test(mime) ? mime : 'application/octet-stream';
    return { status: 200, headers: { 'content-type': type }, body: bytes };
  };
  return [
    { method: 'GET', path: /^\/v1\/events$/, handle: list },
    { method: 'POST', path: /^\/v1\/events\/ack$/, body: true, handle: acknowledge },
    { method: 'GET', path: /^\/v1\/media\/([^/]+)$/, handle: file },
  ];
}

function chatRoutes({ link, pump }) {
  const read = async ({ parameters: [jid], body }) => {
    if (!Array.isArray(body?.ids) || body.ids.length > 100 || body.ids.some((id) => typeof id !== 'string' || id === '')) {
      throw new BadRequest('ids: up to 100 message ids');
    }
    await link.read(address(jid), body.ids);
    return json(202, {});
  };
  const typing = async ({ parameters: [jid], body }) => {
    if (!['composing', 'paused'].includes(body?.state)) {
      throw new BadRequest('state: composing or paused');
    }
    await link.typing(address(jid), body.state);
    return json(202, {});
  };
  const number = async ({ parameters: [text] }) => {
    const phone = address(text).split('@')[0];
    const { jid, checked_ms } = await pump.lookUp(phone);
    return json(200, { phone, on_whatsapp: jid !== null, jid, checked_at: new Date(checked_ms).toISOString() });
  };
  return [
    { method: 'POST', path: /^\/v1\/chats\/([^/]+)\/read$/, body: true, handle: read },
    { method: 'POST', path: /^\/v1\/chats\/([^/]+)\/typing$/, body: true, handle: typing },
    { method: 'GET', path: /^\/v1\/numbers\/([^/]+)$/, handle: number },
  ];
}

function metrics({ link, pump, outbox, events, now = Date.now }) {
  const { connected, paired, canSend } = link.truths;
  const { queued, sending } = outbox.counts();
  const { count, oldest_ms } = events.unacknowledged();
  const lines = [
    ['connected', Number(connected)],
    ['paired', Number(paired)],
    ['can_send', Number(canSend)],
    ['outbox_queued', queued],
    ['outbox_sending', sending],
    ['messages_accepted_total', pump.metrics.accepted],
    ['messages_failed_total', pump.metrics.failed],
    ['messages_repeated_total', pump.metrics.repeated],
    ['messages_refused_463_total', pump.metrics.refused_463],
    ['ack_seconds_sum', pump.metrics.ack_ms_sum / 1000],
    ['events_unacknowledged', count],
    ['events_oldest_seconds', oldest_ms ? (now() - oldest_ms) / 1000 : 0],
    ['resident_bytes', process.memoryUsage.rss()],
  ];
  const text = lines.map(([name, value]) => `agentlocator_bridge_${name} ${value}\n`).join('');
  return { status: 200, headers: { 'content-type': 'text/plain; version=0.0.4' }, body: Buffer.from(text) };
}
