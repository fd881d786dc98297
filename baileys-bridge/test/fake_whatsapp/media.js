// WhatsApp's file servers: keeps what is uploaded, hands it out again. HTTPS with a certificate made for the occasion,
// which the bridge trusts through NODE_EXTRA_CA_CERTS.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';

export class FakeMedia {
  files = new Map(); // path -> bytes
  requests = [];

  constructor(folder) {
    this.certificate = path.join(folder, 'media.crt');
    this.key = path.join(folder, 'media.key');
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
        .concat(['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'])
        .concat(['-keyout', this.key, '-out', this.certificate]),
      { stdio: 'ignore' },
    );
  }

  async listen() {
    const options = { key: readFileSync(this.key), cert: readFileSync(this.certificate) };
    this.server = https.createServer(options, (request, response) => this.#answer(request, response));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.host = `127.0.0.1:${this.server.address().port}`;
    return this;
  }
  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  // Puts a file there as another phone would have; gives its path.
  put(bytes) {
    const at = `/v/${createHash('sha256').update(bytes).digest('hex')}`;
    this.files.set(at, bytes);
    return at;
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, 'https://fake');
    this.requests.push(`${request.method} ${pathname}`);
    if (request.method === 'POST') {
      const parts = [];
      for await (const part of request) {
        parts.push(part);
      }
      const at = this.put(Buffer.concat(parts));
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ url: `https://${this.host}${at}`, direct_path: at }));
    }
    if (pathname === '/away') {
      return response.writeHead(302, { location: 'https://127.0.0.1:1/' }).end();
    }
    const found = this.files.get(pathname);
    return found ? response.end(found) : response.writeHead(404).end();
  }
}
