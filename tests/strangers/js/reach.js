// Everything a JavaScript program can try here. An attempt that finds nothing failed, too.

import cache from 'wardian:plugin/cache@0.1.0';
import config from 'wardian:plugin/config@0.1.0';
import secrets from 'wardian:plugin/secrets@0.1.0';
import store from 'wardian:plugin/store@0.1.0';
import environment from 'wasi:cli/environment@0.2.12';
import stdin from 'wasi:cli/stdin@0.2.12';
import preopens from 'wasi:filesystem/preopens@0.2.12';
import network from 'wasi:sockets/instance-network@0.2.12';
import lookup from 'wasi:sockets/ip-name-lookup@0.2.12';
import tcp from 'wasi:sockets/tcp-create-socket@0.2.12';

const nonempty = (found) => {
  if (!found || found.length === 0) throw new Error('there is none');
};

const offered = (name) => {
  if (typeof globalThis[name] === 'undefined') throw new Error('the engine has none');
  return globalThis[name];
};

function connect(port) {
  const socket = tcp.createTcpSocket('ipv4');
  socket.startConnect(network.instanceNetwork(), { tag: 'ipv4', val: { port, address: [127, 0, 0, 1] } });
  socket.subscribe().block();
  socket.finishConnect();
}

function resolve() {
  const names = lookup.resolveAddresses(network.instanceNetwork(), 'localhost');
  names.subscribe().block();
  nonempty(names.resolveNextAddress());
}

const attempts = (port) => ({
  preopens: () => nonempty(preopens.getDirectories()),
  environment: () => nonempty(environment.getEnvironment()),
  arguments: () => nonempty(environment.getArguments().filter((argument) => argument)),
  directory: () => nonempty(environment.initialCwd()),
  stdin: () => nonempty(stdin.getStdin().blockingRead(1)),
  tcp_connect: () => connect(port),
  resolve_name: resolve,
  fetch: () => offered('fetch')(`http://127.0.0.1:${port}/`),
  process: () => nonempty(Object.keys(offered('process').env)),
  std_module: () => offered('std').open('/etc/passwd', 'r').readAsString(),
  os_module: () => offered('os').exec(['/bin/true']),
  secret: () => secrets.reveal('weather-key'),
  secret_ready: () => nonempty(secrets.ready('weather-key')),
  config: () => nonempty(config.keys().concat(config.get('units') ?? [])),
  store: () => store.set('stranger', new Uint8Array([1])),
  cache: () => cache.write('stranger', new Uint8Array([1])),
});

function said(why) {
  const told = why?.payload ?? why?.message ?? why;
  return (typeof told === 'string' ? told : JSON.stringify(told)).slice(0, 200);
}

export function everything(port) {
  const succeeded = [];
  const refused = {};
  for (const [name, attempt] of Object.entries(attempts(port))) {
    try {
      attempt();
      succeeded.push(name);
    } catch (why) {
      refused[name] = said(why);
    }
  }
  return { succeeded, refused };
}
