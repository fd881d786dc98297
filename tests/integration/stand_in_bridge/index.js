// Stands in for the bridge where only its launcher is tested: a ready line, an answer, an exit code, and no packages.
import http from 'node:http';

const port = Number(process.env.BAILEYS_PORT);
const server = http.createServer((request, response) => response.end('{"ok":true,"paired":false}'));
server.on('error', () => {
  console.log(`event=bridge_port_taken address=127.0.0.1 port=${port}`);
  process.exit(75);
});
process.on('SIGTERM', () => process.exit(0));
server.listen(port, '127.0.0.1', () => {
  console.log(`event=bridge_ready address=127.0.0.1 port=${server.address().port} pid=${process.pid} version=0.0.0`);
});
