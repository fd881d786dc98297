// Fetches the file of a received message once and keeps it. The address in a message is the sender's word, so only its
// path is used, on WhatsApp's own host; size, MAC and hash are checked before anybody gets a byte.
import { createDecipheriv, createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { getMediaKeys } from '@whiskeysockets/baileys';

import { fileOf } from './message.js';

// Where files come from, and nowhere else (a sender could otherwise make us call any address, our own network's too).
export const mediaHosts = { download: 'mmg.whatsapp.net' };

const FETCH_MS_MAX = 60_000;
const MAC_BYTES = 10; // Appended to the ciphertext: the first ten bytes of its HMAC-SHA256.

// code: media_gone (WhatsApp deleted it), media_refused, media_failed (try again).
export class MediaError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}
const refuse = (text) => {
  throw new MediaError('media_refused', text);
};

// The address of a file by its path, or a MediaError. Pure.
export function mediaUrl(directPath, host = mediaHosts.download) {
  let url;
  try {
    url = new URL(directPath ?? '', `https://${host}`);
  } catch {
    return refuse('the message has no usable path');
  }
  if (!directPath?.startsWith('/') || url.host !== host || url.protocol !== 'https:') {
    return refuse('the file is not on an allowed host');
  }
  return url;
}

// Ciphertext with its MAC in, checked plaintext out. Pure.
export async function decryptMedia(bytes, node, type) {
  const { cipherKey, iv, macKey } = await getMediaKeys(node.mediaKey, type);
  const body = bytes.subarray(0, -MAC_BYTES);
  const mac = createHmac('sha256', macKey).update(iv).update(body).digest().subarray(0, MAC_BYTES);
  if (bytes.length <= MAC_BYTES || !timingSafeEqual(mac, bytes.subarray(-MAC_BYTES))) {
    return refuse('the file was changed on its way');
  }
  const aes = createDecipheriv('aes-256-cbc', cipherKey, iv);
  const plain = Buffer.concat([aes.update(body), aes.final()]);
  if (node.fileSha256?.length && !createHash('sha256').update(plain).digest().equals(Buffer.from(node.fileSha256))) {
    return refuse('the file is not the one its message names');
  }
  return plain;
}

export class Media {
  #queue = Promise.resolve();

  constructor(folder, { megabytesMax }) {
    this.folder = folder;
    this.bytesMax = megabytesMax * 1024 * 1024;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  #pathOf(event_id) {
    return path.join(this.folder, createHash('sha256').update(event_id).digest('hex'));
  }

  // {mime, bytes}. One download at a time: each may need twice its size in memory.
  fetch(event_id, message) {
    const work = this.#queue.then(() => this.#fetch(event_id, message));
    this.#queue = work.catch(() => {});
    return work;
  }

  async #fetch(event_id, message) {
    const file = fileOf(message) ?? refuse('the message has no file');
    const mime = file.node.mimetype || 'application/octet-stream';
    const kept = this.#pathOf(event_id);
    try {
      return { mime, bytes: readFileSync(kept) };
    } catch (error) {
      if (error.code !== 'ENOENT') {
        throw error;
      }
    }
    if (Number(file.node.fileLength ?? 0) > this.bytesMax) {
      refuse(`larger than ${this.bytesMax} bytes`);
    }
    const bytes = await decryptMedia(await this.#download(mediaUrl(file.node.directPath)), file.node, file.type);
    const temporary = `${kept}.new`;
    writeFileSync(temporary, bytes, { mode: 0o600 });
    renameSync(temporary, kept);
    return { mime, bytes };
  }

  async #download(url) {
    let response;
    try {
      response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_MS_MAX) });
    } catch (error) {
      throw new MediaError('media_failed', `WhatsApp's file server did not answer: ${error.cause?.code ?? error.name}`);
    }
    if (response.status === 404 || response.status === 410) {
      throw new MediaError('media_gone', 'WhatsApp no longer has the file');
    }
    if (!response.ok) {
      throw new MediaError('media_failed', `WhatsApp's file server answered ${response.status}`);
    }
    const parts = [];
    let size = 0;
    for await (const part of response.body) {
      size += part.length;
      if (size > this.bytesMax + 64) {
        refuse(`larger than ${this.bytesMax} bytes`); // Leaving the loop ends the download. 64: padding and MAC.
      }
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  forgetBefore(ms) {
    for (const name of readdirSync(this.folder)) {
      const file = path.join(this.folder, name);
      if (statSync(file).mtimeMs < ms) {
        rmSync(file, { force: true });
      }
    }
  }
}
