// A request to send: checked, and turned into what Baileys builds a message from. Pure.
import { createHash } from 'node:crypto';
import path from 'node:path';

import { jidDecode } from '@whiskeysockets/baileys';

export const TEXT_BYTES_MAX = 65_536; // WhatsApp's own limit for a text, in bytes of UTF-8.
export const TTL_SECONDS = { min: 10, max: 604_800, fallback: 86_400 };
const NAME_MAX = 255;
const MEDIA_TYPES = ['image', 'video', 'audio', 'voice', 'document'];
const SERVERS = ['s.whatsapp.net', 'lid', 'g.us'];

export class BadRequest extends Error {}
const refuse = (text) => {
  throw new BadRequest(text);
};

// A JID from what people write.
export function address(to) {
  if (typeof to !== 'string' || to.length > 100) {
    return refuse('to: a telephone number or a JID is needed');
  }
  if (to.includes('@')) {
    const decoded = jidDecode(to);
    if (!decoded || !SERVERS.includes(decoded.server) || !/^[0-9-]{5,40}$/.test(decoded.user)) {
      return refuse(`to: no JID of ${SERVERS.join(', ')}`);
    }
    return `${decoded.user}@${decoded.server}`; // Without a device: we write to people.
  }
  const text = to.replace(/^whatsapp:/i, '').trim();
  const digits = text.replace(/[+\s().-]/g, '');
  if (!/^[1-9][0-9]{6,14}$/.test(digits)) {
    return refuse('to: 7-15 international digits, without a leading 0');
  }
  return `${digits}@s.whatsapp.net`;
}

const string = (body, name, max, { optional = false } = {}) => {
  const value = body[name];
  if (value === undefined || value === null || value === '') {
    return optional ? undefined : refuse(`${name}: is missing`);
  }
  if (typeof value !== 'string' || Buffer.byteLength(value) > max) {
    refuse(`${name}: a text of at most ${max} bytes`);
  }
  return value;
};

const coordinate = (body, name, max) =>
  typeof body[name] === 'number' && Math.abs(body[name]) <= max ? body[name] : refuse(`${name}: a number up to ${max}`);

function media(body, folder) {
  const given = body.media;
  if (typeof given !== 'object' || given === null || typeof given.file !== 'string' || given.file === '') {
    return refuse('media.file: a path below the folder for outgoing files');
  }
  const file = path.resolve(folder, given.file);
  if (given.file.includes('\0') || !file.startsWith(folder + path.sep)) {
    return refuse('media.file: must be below the folder for outgoing files');
  }
  return {
    file,
    mime: string(given, 'mime', NAME_MAX, { optional: true }),
    name: string(given, 'name', NAME_MAX, { optional: true }) ?? path.basename(file),
  };
}

// {chat, type, ttlSeconds, content...} or a BadRequest. outgoingFolder: absolute, without a slash at the end.
export function readRequest(body, outgoingFolder) {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return refuse('the body must be a JSON object');
  }
  const chat = address(body.to);
  const ttl = body.ttl_s ?? TTL_SECONDS.fallback;
  if (!Number.isInteger(ttl) || ttl < TTL_SECONDS.min || ttl > TTL_SECONDS.max) {
    refuse(`ttl_s: ${TTL_SECONDS.min}-${TTL_SECONDS.max}`);
  }
  const request = { chat, type: body.type ?? 'text', ttlSeconds: ttl };
  const replyTo = string(body, 'reply_to', 128, { optional: true });
  if (replyTo) {
    request.replyTo = replyTo;
  }
  if (request.type === 'text') {
    request.text = string(body, 'text', TEXT_BYTES_MAX);
  } else if (MEDIA_TYPES.includes(request.type)) {
    request.media = media(body, outgoingFolder);
    request.caption = string(body, 'caption', TEXT_BYTES_MAX, { optional: true });
  } else if (request.type === 'location') {
    request.latitude = coordinate(body, 'latitude', 90);
    request.longitude = coordinate(body, 'longitude', 180);
    request.name = string(body, 'name', NAME_MAX, { optional: true });
  } else if (request.type === 'reaction') {
    request.messageId = string(body, 'message_id', 128);
    request.emoji = typeof body.emoji === 'string' && Buffer.byteLength(body.emoji) <= 64 ? body.emoji : refuse('emoji: one emoji, or "" to take it back');
    request.fromMe = body.from_me === true;
  } else {
    refuse(`type: one of text, ${MEDIA_TYPES.join(', ')}, location, reaction`);
  }
  return request;
}

// Two requests with one key must be the same message, whatever the order of their fields.
export function requestHash(request) {
  const sorted = (value) =>
    value && typeof value === 'object'
      ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
      : value;
  return createHash('sha256').update(JSON.stringify(sorted(request))).digest('hex');
}

// Baileys' AnyMessageContent. `mediaSource`: where the file is read from.
export function contentOf(request) {
  const { type } = request;
  const source = request.media && { url: request.media.file };
  const caption = request.caption ? { caption: request.caption } : {};
  switch (type) {
    case 'text':
      return { text: request.text };
    case 'image':
      return { image: source, mimetype: request.media.mime ?? 'image/jpeg', ...caption };
    case 'video':
      return { video: source, mimetype: request.media.mime ?? 'video/mp4', ...caption };
    case 'audio':
      return { audio: source, mimetype: request.media.mime ?? 'audio/mp4' };
    case 'voice':
      return { audio: source, ptt: true, mimetype: request.media.mime ?? 'audio/ogg; codecs=opus' };
    case 'document':
      return { document: source, fileName: request.media.name, mimetype: request.media.mime ?? 'application/octet-stream', ...caption };
    case 'location':
      return { location: { degreesLatitude: request.latitude, degreesLongitude: request.longitude, name: request.name } };
    case 'reaction':
      return { react: { text: request.emoji, key: { remoteJid: request.chat, fromMe: request.fromMe, id: request.messageId } } };
  }
}
