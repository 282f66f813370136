// A real OpenID provider for tests: accounts with roles, three clients, and keys that can be changed.
//
// Arguments: the callback of the server under test, and the resource its tokens are for. Says its issuer on
// one line of standard output. POST /_test/rotate puts other keys in place, POST /_test/stop ends it.
import { createServer } from 'node:http';
import { randomUUID, generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [callback, resource] = process.argv.slice(2);

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

const rolesOf = (id) => (id === 'nobody' ? [] : id.startsWith('admin') ? ['platform-admins'] : ['developers']);

function configuration(keys) {
  return {
    jwks: { keys },
    cookies: { keys: ['only for tests'] },
    clients: [
      { client_id: 'bot', client_secret: 'bot secret', grant_types: ['client_credentials'], redirect_uris: [],
        response_types: [] },
      { client_id: 'interchange', client_secret: 'web:secret/%', redirect_uris: [callback],
        grant_types: ['authorization_code'], response_types: ['code'] },
      { client_id: 'interchange-cli', token_endpoint_auth_method: 'none', application_type: 'native',
        redirect_uris: ['http://127.0.0.1/callback'], grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'] },
    ],
    claims: { openid: ['sub'], profile: ['name', 'roles'], email: ['email'] },
    conformIdTokenClaims: false,
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `Person ${id}`, email: `${id}@example.com`, roles: rolesOf(id) }),
    }),
    extraTokenClaims: (ctx, token) => ({ roles: token.accountId ? rolesOf(token.accountId) : ['bots'] }),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    ttl: { AccessToken: 600, ClientCredentials: 600, IdToken: 600, Session: 600, Grant: 600, Interaction: 600,
      RefreshToken: 600 },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'llm', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  };
}

let handle = (request, answer) => answer.writeHead(503).end();
const server = createServer((request, answer) => {
  if (request.method === 'POST' && request.url === '/_test/rotate') {
    handle = new Provider(issuer, configuration([newKey()])).callback();
    answer.writeHead(204).end();
  } else if (request.method === 'POST' && request.url === '/_test/stop') {
    answer.writeHead(204).end();
    server.close();
    server.closeAllConnections();
  } else {
    handle(request, answer);
  }
});
let issuer;
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  handle = new Provider(issuer, configuration([newKey()])).callback();
  console.log(`issuer ${issuer}`);
});
process.stdin.on('end', () => process.exit(0)).resume();
