// Twilio's own validator as an oracle, over standard input and output, one JSON object a line.
//
//   node twilio_oracle.cjs make SEED COUNT   random requests as Twilio would sign them, most of them then damaged, each
//                                            with the official verdict on what the server would see
//   node twilio_oracle.cjs judge             requests with a signature of ours in, {"accepted": bool} out
'use strict';
const { createHash } = require('crypto');
const path = require('path');
const webhooks = require(path.join(process.env.ORACLE_MODULES, 'twilio/lib/webhooks/webhooks.js'));

const FORM = 'application/x-www-form-urlencoded; charset=UTF-8';

// A small generator of our own (mulberry32), so that a seed names the same requests on every version of Node.
function generator(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n) => Math.floor(next() * n);
  return { below, pick: (list) => list[below(list.length)], chance: (p) => next() < p };
}

// Names and values that have gone wrong in somebody's validator. Nothing from U+E000 to U+FFFF: there JavaScript sorts by
// UTF-16 units and Python by code points, so that Twilio's own libraries disagree.
const NAMES = ['CallSid', 'AccountSid', 'From', 'To', 'FromCity', 'Digits', 'SpeechResult', 'Body', 'body', 'a', 'A', 'שם',
  'x y', 'a&b', 'a=b', '0', '10', '9', 'ToZip', 'MediaUrl0', '-', '_'];
const PIECES = ['CA1', '+972501234567', ' ', '&', '=', '%', '+', '%41', 'שלום', '👋', "'", '"', '\n', '\t', '/', '?', '#',
  '<', '>', '\\', 'é', 'e\u0301', '~', '*', '(', ')', '!', '0'];
const HOSTS = ['voice.example.com', 'a.b.example.org', '203.0.113.7', 'localhost'];
const PATHS = ['/webhook/incoming_call', '//webhook//voice', '/webhook/call_status/', '/', '/a%20b/%D7%A9', "/it's", '/x;y=1'];
const QUERIES = ['', '', '', '?foo=1&bar=2', '?tenant=%D7%A2&name=It\'s', '?b=2&a=1&a=0', '?x=%20+y', '?', '?q=/a//b'];

function randomText(random, pieces) {
  let text = '';
  for (let n = random.below(pieces); n > 0; n--) text += random.pick(PIECES);
  return text;
}

function encode(text, random) {
  const encoded = encodeURIComponent(text);
  return random.chance(0.7) ? encoded.replace(/%20/g, '+') : encoded;
}

function makeForm(random) {
  const pairs = [];
  for (let n = random.below(12); n > 0; n--) pairs.push([random.pick(NAMES), randomText(random, 6)]);
  return pairs.map(([name, value]) => `${encode(name, random)}=${encode(value, random)}`).join('&');
}

// What a web framework hands to the official validator.
function decodeForm(body) {
  const params = {};
  for (const [name, value] of new URLSearchParams(body)) {
    if (!(name in params)) params[name] = value;
    else params[name] = [].concat(params[name], value);
  }
  return params;
}

function makeRequest(random) {
  const kind = random.pick(['form', 'form', 'form', 'get', 'json', 'stream']);
  const port = random.pick(['', '', '', ':443', ':80', ':8443']);
  const base = (random.chance(0.8) ? 'https://' : 'http://') + random.pick(HOSTS) + port;
  const request = { kind, token: 'token' + random.below(1000), base, method: 'POST', target: random.pick(PATHS),
    content_type: '', body: '' };
  request.target += random.pick(QUERIES);
  if (kind === 'form') {
    request.content_type = FORM;
    request.body = makeForm(random);
  } else if (kind === 'json') {
    request.content_type = 'application/json';
    request.body = JSON.stringify({ event: randomText(random, 8) });
    const hash = createHash('sha256').update(request.body, 'utf8').digest('hex');
    request.target += (request.target.includes('?') ? '&' : '?') + 'bodySHA256=' + hash;
  } else {
    request.method = 'GET';
    if (kind === 'get') request.target = request.target.split('?')[0] + '?' + makeForm(random);
    if (kind === 'stream') request.target = request.target.split('?')[0];
  }
  return request;
}

const urlOf = (request) =>
  (request.kind === 'stream' ? request.base.replace(/^http/, 'ws') : request.base) + request.target;
const paramsOf = (request) => (request.kind === 'form' ? decodeForm(request.body) : {});

// Twilio drops the port for voice over HTTPS and keeps it otherwise.
function sign(request, random) {
  let url = urlOf(request);
  if (url.startsWith('https:') && random.chance(0.5)) url = url.replace(/^(https:\/\/[^/:]+):\d+/, '$1');
  return webhooks.getExpectedTwilioSignature(request.token, url, paramsOf(request));
}

function replaceAt(text, at, character) {
  return text.slice(0, at) + character + text.slice(at + 1);
}

// The damages: what forgers and helpful proxies do.
const DAMAGES = {
  none: () => {},
  signature: (r, random) => {
    const at = random.below(27);
    r.signature = replaceAt(r.signature, at, r.signature[at] === 'A' ? 'B' : 'A');
  },
  no_signature: (r) => { r.signature = ''; },
  short_signature: (r) => { r.signature = r.signature.slice(0, -1); },
  token: (r) => { r.token += 'x'; },
  host: (r) => { r.base = r.base.replace(/:\/\/[^:/]+/, '://other.example.net'); },
  scheme: (r) => { r.base = r.base.startsWith('https') ? r.base.replace('https', 'http') : r.base.replace('http', 'https'); },
  path: (r) => { r.target = '/other' + r.target; },
  query: (r) => { r.target += (r.target.includes('?') ? '&' : '?') + 'extra=1'; },
  // Only where no encoded character is cut: how broken UTF-8 is decoded is a matter of taste.
  body: (r, random) => {
    const ends = [...r.body.matchAll(/[=&]|$/g)].map((match) => match.index);
    const at = r.kind === 'form' ? random.pick(ends) : r.body.length;
    if (r.body !== '') r.body = r.body.slice(0, at) + 'x' + r.body.slice(at);
  },
  field: (r) => { if (r.kind === 'form') r.body += '&Extra=1'; },
  empty_field: (r) => { if (r.kind === 'form') r.body += '&Zzz='; },
  repeat: (r) => { if (r.kind === 'form' && r.body !== '') r.body += '&' + r.body.split('&')[0]; },
  trimmed: (r) => { r.body = r.body.replace(/=\+/g, '=').replace(/\+(&|$)/g, '$1'); },
};

function officialVerdict(request) {
  const url = urlOf(request);
  if (request.kind === 'json') {
    return webhooks.validateRequestWithBody(request.token, request.signature, url, request.body);
  }
  return webhooks.validateRequest(request.token, request.signature, url, paramsOf(request));
}

function make(seed, count) {
  const random = generator(seed);
  const names = Object.keys(DAMAGES);
  for (let i = 0; i < count; i++) {
    const request = makeRequest(random);
    request.signature = sign(request, random);
    request.damage = random.chance(0.4) ? 'none' : random.pick(names);
    DAMAGES[request.damage](request, random);
    request.official = officialVerdict(request);
    process.stdout.write(JSON.stringify(request) + '\n');
  }
}

function judge() {
  for (const line of require('fs').readFileSync(0, 'utf8').split('\n')) {
    if (line !== '') process.stdout.write(JSON.stringify({ accepted: officialVerdict(JSON.parse(line)) }) + '\n');
  }
}

if (process.argv[2] === 'make') make(Number(process.argv[3]), Number(process.argv[4]));
else judge();
