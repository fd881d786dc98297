// Loaded into the bridge by tests (`node --import`): it then trusts the fake server's root and connects to it. The bridge
// itself has no such switch. FAKE_WHATSAPP is JSON: {url, root, mediaHost, timing, policy, pump}.
import { DEFAULT_CONNECTION_CONFIG, WA_CERT_DETAILS } from '@whiskeysockets/baileys';

import { TIMING } from '../../lib/link.js';
import { mediaHosts } from '../../lib/media.js';
import { PUMP } from '../../lib/pump.js';
import { POLICY } from '../../lib/reconnect.js';

const fake = JSON.parse(process.env.FAKE_WHATSAPP);
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(fake.root, 'hex');
DEFAULT_CONNECTION_CONFIG.waWebSocketUrl = fake.url;
mediaHosts.download = fake.mediaHost ?? mediaHosts.download;
Object.assign(TIMING, fake.timing);
Object.assign(POLICY, fake.policy);
Object.assign(PUMP, fake.pump);
