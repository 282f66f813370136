'use strict';
// Loaded into the Portkey gateway before its own code (`node --require`), because the gateway has no
// setting for any of this. It
//   1. listens on 127.0.0.1 only: the gateway authenticates nobody, and binds every interface by itself;
//   2. takes a free port when the wanted one is busy, and says which on its first output lines;
//   3. answers only the routes Interchange uses: `/v1/proxy/*` would skip the gateway's own host checks;
//   4. ends the call to the provider when its caller leaves: the gateway would let it run on and be billed;
//   5. keeps idle connections for two minutes instead of five seconds, so that a pooled one is rarely dead;
//   6. lets an answer take as long as its caller allows: Node's fetch would give up after five minutes;
//   7. says whose fault it was when a provider's answer broke off or was no JSON: the gateway itself answers
//      both, and its own defects, with the same words;
//   8. sends a stream's first chunk at once: the gateway sleeps 25 ms before it (and 1 ms before every
//      chunk of Azure's), and forgets what it has read when the provider breaks off meanwhile;
//   9. shows at once that a stream was accepted, not with its first chunk;
//  10. exits when its standard input closes, which happens however the parent ends.

const { AsyncLocalStorage } = require('node:async_hooks');
const http = require('node:http');
const net = require('node:net');
const { promisify } = require('node:util');

const LOOPBACK = '127.0.0.1';
const PORT_LINE = 'interchange-gateway-port';
const FAULT_HEADER = 'x-interchange-provider-fault';
const KEEP_ALIVE_MS = 120_000;
const ROUTES = new Set([
  'GET /',
  'POST /v1/chat/completions',
  'POST /v1/completions',
  'POST /v1/embeddings',
  'POST /v1/messages',
  'POST /v1/messages/count_tokens',
  'POST /v1/responses',
]);

const listenAsIs = net.Server.prototype.listen;
net.Server.prototype.listen = function listenOnLoopback(...args) {
  const callback = args.find((arg) => typeof arg === 'function');
  const first = args[0];
  const wanted = typeof first === 'object' && first !== null ? first.port : first;
  const port = Number(wanted) || 0;
  if (this instanceof http.Server) this.keepAliveTimeout = KEEP_ALIVE_MS;
  this.once('listening', () => process.stdout.write(`${PORT_LINE} ${this.address().port}\n`));
  this.once('error', (error) => {
    if (error.code !== 'EADDRINUSE' || port === 0) throw error;
    listenAsIs.call(this, { port: 0, host: LOOPBACK });
  });
  return listenAsIs.call(this, { port, host: LOOPBACK }, callback);
};

const callers = new AsyncLocalStorage();

function refusal(request) {
  // A page whose name was rebound to 127.0.0.1 still sends its own name here.
  const host = (request.headers.host || '').replace(/:\d+$/, '');
  if (host !== LOOPBACK && host !== 'localhost') return 403;
  const path = (request.url || '').split('?', 1)[0];
  return ROUTES.has(`${request.method} ${path}`) ? 0 : 404;
}

const emitAsIs = http.Server.prototype.emit;
http.Server.prototype.emit = function emitGuarded(event, ...args) {
  if (event === 'upgrade') {
    args[1].destroy();
    return true;
  }
  if (event !== 'request') return emitAsIs.call(this, event, ...args);
  const [request, response] = args;
  const status = refusal(request);
  if (status) {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json', 'x-portkey-gateway-exception': 'true' });
    response.end(JSON.stringify({ status: 'failure', message: 'not a route of this gateway' }));
    return true;
  }
  const left = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) left.abort();
  });
  const call = { left: left.signal, providerFault: null };
  const writeHeadAsIs = response.writeHead;
  response.writeHead = function writeHeadWithFault(...head) {
    if (call.providerFault && head[0] >= 500) this.setHeader(FAULT_HEADER, call.providerFault);
    writeHeadAsIs.apply(this, head);
    // Node keeps headers back until the first chunk, which a thinking model may take minutes for.
    if (String(head.at(-1)?.['content-type']).startsWith('text/event-stream')) this.flushHeaders();
    return this;
  };
  return callers.run(call, () => emitAsIs.call(this, event, ...args));
};

const jsonAsIs = Response.prototype.json;
Response.prototype.json = async function jsonOfProvider() {
  try {
    return await jsonAsIs.call(this);
  } catch (error) {
    const call = callers.getStore();
    if (call) call.providerFault = error instanceof SyntaxError ? 'unreadable' : 'cut';
    throw error;
  }
};

// AbortSignal.any needs Node 20.3; the gateway runs on 18.
function either(first, second) {
  const both = new AbortController();
  for (const signal of [first, second]) {
    if (signal.aborted) both.abort(signal.reason);
    else signal.addEventListener('abort', () => both.abort(signal.reason), { once: true });
  }
  return both.signal;
}

const fetchAsIs = globalThis.fetch;
globalThis.fetch = function fetchForCaller(input, init) {
  const left = callers.getStore()?.left;
  if (!left) return fetchAsIs(input, init);
  const signal = init && init.signal ? either(init.signal, left) : left;
  return fetchAsIs(input, { ...init, signal });
};

// Only those sleeps hand a promise's own `resolve` (one parameter) to a timer; limits of time pass closures.
const PACING_MS = new Set([1, 25]);
const setTimeoutAsIs = globalThis.setTimeout;
globalThis.setTimeout = function setTimeoutUnpaced(callback, delay, ...rest) {
  if (PACING_MS.has(delay) && callback.length === 1 && rest.length === 0) return queueMicrotask(callback);
  return setTimeoutAsIs(callback, delay, ...rest);
};
globalThis.setTimeout[promisify.custom] = setTimeoutAsIs[promisify.custom];

// Node shows the class of its fetch's connection pool only through the pool itself, which the first call makes.
const DISPATCHER = Symbol.for('undici.globalDispatcher.1');
fetchAsIs('data:,').catch(() => {});
const Agent = globalThis[DISPATCHER] && globalThis[DISPATCHER].constructor;
if (Agent) globalThis[DISPATCHER] = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

process.stdin.on('error', () => process.exit(0));
process.stdin.on('end', () => process.exit(0));
process.stdin.on('close', () => process.exit(0));
process.stdin.resume();
