// WhatsApp and the people on it, for tests of the whole installation: the bridge's own fake server, driven by lines of JSON
// on stdin, one answer a line on stdout. {"do":"scan","qr":TEXT} links the phone, {"do":"send","count":N,"people":P} lets
// P people write N messages between them, {"do":"state"} tells what came through.
import readline from 'node:readline';

const say = (document) => process.stdout.write(`${JSON.stringify(document)}\n`);
// The people use libsignal, which prints their sessions.
for (const level of ['log', 'info', 'warn', 'error']) {
  console[level] = () => {};
}
const { FakeWhatsApp } = await import('../../baileys-bridge/test/fake_whatsapp/server.js');

const server = await new FakeWhatsApp().listen();
server.on('fault', (error) => process.stderr.write(`fake server: ${error.stack}\n`));
server.receiptTypes = ['', 'read'];
const people = [];
const sent = [];
let retries = 0;
server.on('retry', () => (retries += 1));

const commands = {
  scan({ qr }) {
    server.scan(qr, { jid: '972500000001:7@s.whatsapp.net', lid: '9972500000001:7@lid' });
    return {};
  },
  async send({ count, people: wanted }) {
    while (people.length < wanted) {
      people.push(server.person(String(972_541_000_000 + people.length), `P${people.length}`));
    }
    for (let n = 0; n < count; ++n) {
      const person = people[n % wanted];
      sent.push({ id: await person.send({ conversation: `message ${sent.length}` }), phone: person.phone });
    }
    return {};
  },
  state() {
    const inboxes = Object.fromEntries(
      people.map((person) => [person.phone, person.inbox.filter(({ message }) => message).map(({ id }) => id)]),
    );
    return { sent, inboxes, received: Object.fromEntries(server.received), undelivered: server.undelivered, nacks: server.nacks, retries };
  },
};

say({ url: server.url, root: Buffer.from(server.root.public).toString('hex') });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  say(await commands[command.do](command));
}
await server.close();
process.exit(0); // Its client may still be connecting.
