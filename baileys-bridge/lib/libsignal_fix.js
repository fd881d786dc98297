// Mends a fault of libsignal 6.0.0. It tries a received message on one session of the sender after another, and steps the
// ratchet of each before it knows whether the message belongs to it. When a later one fits, all are saved: those that were
// only tried are out of step with the sender for good, and what he writes in them can never be read.
//
// That is no rare case. Baileys makes a new session with everybody it writes to after each start, and the sender's messages
// come in the old one until he has received ours; then he answers in the new one, which is broken by then. A failed attempt
// must leave no trace (Signal's own libraries try on a copy of the session).
import { createRequire } from 'node:module';

const { SessionCipher } = createRequire(import.meta.url)('libsignal');

const attempt = SessionCipher.prototype.doDecryptWhisperMessage;

SessionCipher.prototype.doDecryptWhisperMessage = async function doDecryptWhisperMessage(message, session) {
  const before = session?.serialize();
  try {
    return await attempt.call(this, message, session);
  } catch (error) {
    if (before) {
      Object.keys(session).forEach((field) => delete session[field]);
      Object.assign(session, session.constructor.deserialize(before));
    }
    throw error;
  }
};
