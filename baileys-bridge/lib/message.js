// What a WhatsApp message says, in the bridge's words, and back. Pure.
import { extractMessageContent, jidDecode, normalizeMessageContent, proto } from '@whiskeysockets/baileys';

// The kinds that carry a file, by the field of proto.Message they are in.
const FILES = {
  imageMessage: 'image',
  videoMessage: 'video',
  ptvMessage: 'video',
  audioMessage: 'audio',
  documentMessage: 'document',
  stickerMessage: 'sticker',
};

const number = (value) => (value === null || value === undefined ? null : Number(value));

// {kind, text, reply_to, media, location}; undefined: nothing a person said (keys, history, settings).
export function describeMessage(raw) {
  const content = normalizeMessageContent(raw);
  if (!content) {
    return undefined;
  }
  const found = content.protocolMessage
    ? protocolContent(content.protocolMessage)
    : plainContent(content) ?? fileContent(content);
  return found && { text: null, reply_to: null, media: null, location: null, ...found };
}

function protocolContent(protocol) {
  const { Type } = proto.Message.ProtocolMessage;
  if (protocol.type === Type.REVOKE) {
    return { kind: 'revoke', reply_to: protocol.key?.id ?? null };
  }
  if (protocol.type === Type.MESSAGE_EDIT) {
    const edited = describeMessage(protocol.editedMessage);
    return { kind: 'edit', text: edited?.text ?? null, reply_to: protocol.key?.id ?? null };
  }
  return undefined; // Between devices.
}

function plainContent(content) {
  if (content.conversation) {
    return { kind: 'text', text: content.conversation };
  }
  const extended = content.extendedTextMessage;
  if (extended) {
    return { kind: 'text', text: extended.text ?? '', reply_to: quoted(extended) };
  }
  if (content.reactionMessage) {
    return { kind: 'reaction', text: content.reactionMessage.text ?? '', reply_to: content.reactionMessage.key?.id ?? null };
  }
  const place = content.locationMessage ?? content.liveLocationMessage;
  if (place) {
    return {
      kind: 'location',
      text: place.name || place.caption || null,
      reply_to: quoted(place),
      location: { latitude: place.degreesLatitude, longitude: place.degreesLongitude, name: place.name || null },
    };
  }
  const contact = content.contactMessage ?? content.contactsArrayMessage;
  if (contact) {
    return { kind: 'contact', text: contact.displayName || null, reply_to: quoted(contact) };
  }
  const poll = content.pollCreationMessage ?? content.pollCreationMessageV2 ?? content.pollCreationMessageV3;
  if (poll) {
    return { kind: 'poll', text: poll.name || null, reply_to: quoted(poll) };
  }
  const chosen = content.buttonsResponseMessage ?? content.templateButtonReplyMessage ?? content.listResponseMessage;
  if (chosen) {
    return { kind: 'text', text: chosen.selectedDisplayText ?? chosen.title ?? '', reply_to: quoted(chosen) };
  }
  return undefined;
}

function fileContent(content) {
  for (const [field, kind] of Object.entries(FILES)) {
    const file = content[field];
    if (file) {
      return {
        kind: kind === 'audio' && file.ptt ? 'voice' : kind,
        text: file.caption || null,
        reply_to: quoted(file),
        media: {
          mime: file.mimetype || 'application/octet-stream',
          bytes: number(file.fileLength),
          name: file.fileName || null,
          seconds: number(file.seconds),
        },
      };
    }
  }
  // Keys for a group arrive beside a message or alone; alone, nobody said anything. So with messageContextInfo.
  const rest = Object.keys(content).filter(
    (field) => content[field] !== null && !['senderKeyDistributionMessage', 'messageContextInfo'].includes(field),
  );
  return rest.length > 0 ? { kind: 'other' } : undefined;
}

const quoted = (part) => part.contextInfo?.stanzaId || null;

// The file in a message: {type for Baileys, node}, or undefined.
export function fileOf(raw) {
  const content = extractMessageContent(raw);
  for (const [field, kind] of Object.entries(FILES)) {
    if (content?.[field]) {
      return { type: field === 'ptvMessage' ? 'video' : kind, node: content[field] };
    }
  }
  return undefined;
}

// {jid, lid, phone} of an address and the other one WhatsApp told us, with `known` for what we learned before.
export function person(jid, alternate, known = { phoneOf: () => null, lidOf: () => null }) {
  const result = { jid, lid: null, phone: null };
  for (const address of [jid, alternate]) {
    const decoded = address ? jidDecode(address) : undefined;
    if (decoded?.server === 'lid') {
      result.lid ??= `${decoded.user}@lid`;
    } else if (decoded?.server === 's.whatsapp.net') {
      result.phone ??= decoded.user;
    }
  }
  if (result.lid && !result.phone) {
    result.phone = known.phoneOf(result.lid.split('@')[0]);
  } else if (result.phone && !result.lid) {
    const lid = known.lidOf(result.phone);
    result.lid = lid ? `${lid}@lid` : null;
  }
  return result;
}
