import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProxy, proxyFor } from './proxies.ts'

const viaProxy = (url: string, none = '') =>
  proxyFor(new URL(url), { http: 'http://p.example:1', https: 'http://s.example:2', none })?.origin

test('http goes through the one proxy and https through the other, each alone', () => {
  assert.equal(viaProxy('http://api.example/v1'), 'http://p.example:1')
  assert.equal(viaProxy('https://api.example/v1'), 'http://s.example:2')
  assert.equal(proxyFor(new URL('https://api.example'), { http: 'http://p.example:1' }), undefined)
  assert.equal(proxyFor(new URL('http://api.example'), { https: 'http://p.example:1' }), undefined)
  assert.equal(proxyFor(new URL('http://api.example'), { http: '' }), undefined)
})

test('what is on this machine is never asked for through a proxy', () => {
  for (const host of [
    'localhost',
    'a.localhost',
    'localhost.',
    '127.0.0.1',
    '127.9.9.9',
    '[::1]',
    '0x7f.1',
    '[::ffff:127.0.0.1]',
  ])
    assert.equal(viaProxy(`http://${host}:8000/v1`), undefined, host)
  for (const host of ['localhost.example', '128.0.0.1', 'notlocalhost', '10.0.0.1'])
    assert.notEqual(viaProxy(`http://${host}:8000/v1`), undefined, host)
})

const excepted: [none: string, direct: string[], proxied: string[]][] = [
  ['', [], ['https://a.example']],
  ['*', ['https://a.example', 'http://10.1.1.1'], []],
  ['other.example, *', ['https://a.example'], []],
  ['*:80', ['http://a.example'], ['https://a.example', 'http://a.example:81']],
  [
    'a.example',
    ['https://a.example', 'https://b.a.example', 'https://A.EXAMPLE:8443'],
    ['https://ba.example', 'https://example'],
  ],
  ['.a.example', ['https://a.example', 'https://b.a.example'], ['https://ba.example']],
  ['*.a.example', ['https://b.a.example', 'https://c.b.a.example'], ['https://a.example', 'https://ba.example']],
  ['A.Example.', ['https://a.example', 'https://a.example.'], []],
  ['a.example:443', ['https://a.example', 'https://a.example:443'], ['https://a.example:444', 'http://a.example']],
  ['a.example:8000', ['http://a.example:8000', 'http://b.a.example:8000'], ['http://a.example']],
  [
    'x.example  y.example,,z.example',
    ['http://x.example', 'http://y.example', 'http://z.example'],
    ['http://w.example'],
  ],
  ['10.1.2.3', ['http://10.1.2.3', 'http://0xa.1.2.3', 'http://10.1.2.3:99'], ['http://10.1.2.4', 'http://110.1.2.3']],
  ['10.1.2.3:99', ['http://10.1.2.3:99'], ['http://10.1.2.3']],
  ['10.0.0.0/8', ['http://10.1.2.3', 'http://10.255.0.1'], ['http://11.0.0.1', 'http://a10.example']],
  ['10.0.0.0/33 10.0.0.0/x', [], ['http://10.0.0.0', 'http://10.0.0.1']],
  ['2001:db8::1', ['http://[2001:db8::1]', 'http://[2001:db8:0:0::1]:8000'], ['http://[2001:db8::2]']],
  ['[2001:db8::1]:8000', ['http://[2001:db8::1]:8000'], ['http://[2001:db8::1]']],
  ['2001:db8::/32', ['http://[2001:db8:9::1]'], ['http://[2001:db9::1]']],
  ['http://a.example', [], ['http://a.example']],
  ['. *. : /', [], ['http://a.example', 'http://10.0.0.1']],
]

for (const [none, direct, proxied] of excepted)
  test(`NO_PROXY='${none}' excepts ${direct.length === 0 ? 'nothing' : 'what it names and nothing else'}`, () => {
    for (const url of direct) assert.equal(viaProxy(url, none), undefined, url)
    for (const url of proxied) assert.notEqual(viaProxy(url, none), undefined, url)
  })

test('the address of a proxy is read as people write it', () => {
  const { protocol, hostname, port, authorization } = parseProxy('proxy.example:3128', 'x')
  assert.deepEqual([protocol, hostname, port, authorization], ['http:', 'proxy.example', '3128', undefined])
  assert.deepEqual(
    [parseProxy('https://p.example', 'x').port, parseProxy('http://p.example/', 'x').port],
    ['443', '80'],
  )
  assert.equal(parseProxy('http://[::1]:3128', 'x').hostname, '::1')
  const named = parseProxy('http://us%40er:p%3Ass@p.example:3128', 'x')
  assert.equal(named.authorization, `Basic ${Buffer.from('us@er:p:ss').toString('base64')}`)
  assert.equal(named.origin, 'http://p.example:3128')
})

test('what is no proxy is refused, and its password never repeated', () => {
  for (const text of [
    'socks5://user:canary@p.example:1080',
    'ftp://user:canary@p.example',
    'http://user:canary%@p.example',
    'http://user:canary@p.example/path',
    'http://user:canary@',
    'user:canary@:99999',
    'http://user:canary@p.example?x',
  ])
    assert.throws(
      () => parseProxy(text, 'HTTPS_PROXY'),
      (error: Error) => error.message.startsWith('HTTPS_PROXY must be') && !error.message.includes('canary'),
      text,
    )
})
