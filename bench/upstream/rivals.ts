import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A program that passes requests on to the upstream. */
export interface Rival {
  name: string
  command: string[]
  env: Record<string, string>
  /** Of every request, beside the key. */
  headers: string[]
}

/** What this machine lacks, in words for the reader of the table. */
export class Missing extends Error {}

/** Two for each stream. */
const filesMax = 8192

/** nginx: the one that is installed, or Debian's, unpacked into the folder. @throws Missing */
export async function nginx(folder: string, port: number, upstream: string): Promise<Rival> {
  const home = join(folder, 'nginx')
  mkdirSync(join(home, 'logs'), { recursive: true })
  const binary = await nginxBinary(home)
  writeFileSync(
    join(home, 'nginx.conf'),
    `daemon off; master_process off; pid nginx.pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  keepalive_requests 1000000000; proxy_buffering off; proxy_http_version 1.1;
  upstream kit { server ${new URL(upstream).host}; keepalive 1024; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass http://kit; proxy_set_header Connection ""; } }
}
`,
  )
  const command = ['sh', '-c', `ulimit -n ${filesMax}; exec "$0" "$@"`, binary, '-p', home, '-c', 'nginx.conf']
  return { name: 'nginx', command, env: {}, headers: [] }
}

async function nginxBinary(home: string): Promise<string> {
  const installed = (process.env.PATH ?? '').split(':').concat('/usr/sbin')
  const found = installed.map(path => join(path, 'nginx')).find(existsSync)
  if (found !== undefined) return found
  try {
    await run('apt-get', ['download', 'nginx'], { cwd: home })
    const archive = readdirSync(home).find(file => file.endsWith('.deb'))
    await run('dpkg-deb', ['-x', archive ?? '', 'root'], { cwd: home })
    const binary = join(home, 'root/usr/sbin/nginx')
    await run(binary, ['-v'])
    return binary
  } catch (error) {
    throw new Missing('nginx is not installed, and Debian’s could not be fetched.', { cause: error })
  }
}

/** Portkey's gateway as npm has it, started by one of the given Nodes each. @throws Missing */
export async function portkey(folder: string, nodes: { node: string; port: number }[], upstream: string) {
  const home = join(folder, 'portkey')
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  try {
    await run('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund', '@portkey-ai/gateway'], { cwd: home })
  } catch (error) {
    throw new Missing('Portkey could not be installed from npm.', { cause: error })
  }
  const server = join(home, 'node_modules/@portkey-ai/gateway/build/start-server.js')
  const rivals: (Rival & { port: number })[] = []
  for (const { node, port } of nodes) {
    const { stdout } = await run(node, ['--version'])
    rivals.push({
      name: `Portkey, Node ${Number.parseInt(stdout.slice(1), 10)}`,
      port,
      command: [node, server, `--port=${port}`, '--headless'],
      env: { NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' },
      headers: ['x-portkey-provider: openai', `x-portkey-custom-host: ${upstream}/v1`],
    })
  }
  return rivals
}
