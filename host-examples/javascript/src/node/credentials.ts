// Credentials out of the Docker config file, and out of the helpers it names.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../errors.js';
import { quoted } from './bytes.js';

export interface Credentials {
  user: string;
  password: string;
  /** A token that is exchanged for others, in place of a password. */
  identity?: string;
}

interface Config {
  auths?: Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

/** The credentials for a registry; nothing where there are none. */
export function fromDockerConfig(host: string): Credentials | undefined {
  const path = join(process.env['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  let config: Config;
  try {
    config = JSON.parse(text) as Config;
  } catch {
    // The words of the parser could quote a secret.
    throw new Failure('invalid', `${quoted(path)} is not a docker config file`);
  }
  const names = host === 'docker.io' ? ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'] : [host, `https://${host}`, `http://${host}`];
  for (const name of names) {
    const helper = config.credHelpers?.[name];
    if (helper) return fromHelper(helper, name);
  }
  for (const name of names) {
    const auth = config.auths?.[name];
    if (!auth) continue;
    const [user = '', ...rest] = Buffer.from(auth.auth ?? '', 'base64').toString('utf8').split(':');
    const found = { user: auth.username ?? user, password: auth.password ?? rest.join(':'), ...(auth.identitytoken && { identity: auth.identitytoken }) };
    if (found.user !== '' || found.identity) return found;
  }
  return config.credsStore ? fromHelper(config.credsStore, names[0] as string) : undefined;
}

function fromHelper(helper: string, name: string): Credentials | undefined {
  if (!/^[A-Za-z0-9_.-]+$/.test(helper)) throw new Failure('invalid', `${quoted(helper)} is not the name of a credential helper`);
  const { status, stdout } = spawnSync(`docker-credential-${helper}`, ['get'], { input: name, encoding: 'utf8', timeout: 30_000 });
  if (status !== 0) return undefined;
  const { Username = '', Secret = '' } = JSON.parse(stdout) as { Username?: string; Secret?: string };
  return Username === '<token>' ? { user: '', password: '', identity: Secret } : { user: Username, password: Secret };
}
