// A corpus of folders with an index that are no checkpoints. Each is refused as a whole, for a reason of its own.
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { encode, float32Entry, frame } from './writer.ts'

/** What lies in a folder: bytes or text by path, or a function that makes it there. */
type Files = Record<string, Uint8Array | string | ((path: string) => void)>

export interface MalformedFolder {
  readonly name: string
  /** Where the folder lies below an empty one that is the case's own: some cases reach out of the folder. */
  readonly at: string
  readonly files: Files
  /** What the error must say beside the path of the folder. */
  readonly reason: RegExp
}

export function writeFiles(root: string, files: Files): void {
  for (const [name, contents] of Object.entries(files)) {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    if (typeof contents === 'function') contents(path)
    else writeFileSync(path, contents)
  }
}

const indexName = 'model.safetensors.index.json'
const shard = (names: string, value = 1) =>
  encode(Object.fromEntries([...names].map((name) => [name, float32Entry([1], [value])])))
const indexOf = (map: unknown, more = '') => `{"metadata":{"total_size":12}${more},"weight_map":${JSON.stringify(map)}}`
const linkTo = (target: string) => (path: string) => symlinkSync(target, path)
const sparse = (head: Uint8Array | string, bytes: number) => (path: string) => {
  writeFileSync(path, head)
  truncateSync(path, bytes)
}

const goodIndex = indexOf({ a: 'one.safetensors', b: 'two.safetensors' })
const good: Files = { [indexName]: goodIndex, 'one.safetensors': shard('a'), 'two.safetensors': shard('b') }

const one = '{"a":"one.safetensors"}'
const texts: Record<string, [text: string, reason: RegExp]> = {
  'an array': ['[]', /expected an object/],
  'no weight_map': ['{}', /expected a weight_map .*, got none/],
  'metadata alone': ['{"metadata":{"total_size":12}}', /expected a weight_map/],
  'two weight_maps': [`{"weight_map":${one},"weight_map":${one}}`, /expected one weight_map .*, got two/],
  'a weight_map that is a list': ['{"weight_map":["one.safetensors"]}', /expected an object/],
  'a weight_map that is a string': ['{"weight_map":"one.safetensors"}', /expected an object/],
  'a weight_map that is null': ['{"weight_map":null}', /expected an object/],
  'a shard that is a number': ['{"weight_map":{"a":1}}', /expected a string/],
  'a shard that is null': ['{"weight_map":{"a":null}}', /expected a string/],
  'a shard that is a list': ['{"weight_map":{"a":["one.safetensors"]}}', /expected a string/],
  'a tensor twice': ['{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}', /each name once .*"a" twice/],
  'a tensor twice, once escaped': ['{"weight_map":{"a":"one.safetensors","\\u0061":"x"}}', /"a" twice/],
  'text after the object': [`${goodIndex}x`, /expected/],
  'a second object': [`${goodIndex}{}`, /expected/],
  'a trailing comma': [`{"weight_map":${one},}`, /expected/],
  'a comment': [`/* x */${goodIndex}`, /expected/],
  'a byte order mark': [`\ufeff${goodIndex}`, /expected an object/],
  'metadata too deep': [indexOf({}, `,"x":${'['.repeat(100_000)}`), /expected/],
  'a lone surrogate': ['{"weight_map":{"\\ud800":"one.safetensors"}}', /expected/],
}

const notBeside = ['../one.safetensors', '/etc/passwd', './one.safetensors', 'x/one.safetensors', '..', '.', '']
const moreNotBeside = ['one\\two', 'one.safetensors\0', '..\\one', 'http://x/one.safetensors', '~/one.safetensors']

const shards: Record<string, [files: Files, reason: RegExp]> = {
  'a shard that is missing': [
    { [indexName]: goodIndex, 'one.safetensors': shard('a') },
    /two\.safetensors, got No such/,
  ],
  'all shards missing': [{ [indexName]: goodIndex }, /one\.safetensors, got No such file/],
  'a tensor that is not in its shard': [{ ...good, 'two.safetensors': shard('c') }, /tensor "b" in .*two\.safetensors/],
  "tensors in each other's shards": [
    { ...good, [indexName]: indexOf({ a: 'two.safetensors', b: 'one.safetensors' }) },
    /tensor "a" in .*two\.safetensors/,
  ],
  'a tensor in two shards': [
    { ...good, 'two.safetensors': shard('ab', 2) },
    /expected tensor "a" in one shard, got it in .*one\.safetensors and .*two\.safetensors/,
  ],
  'a tensor that the index does not name, in two shards': [
    { ...good, 'one.safetensors': shard('ac'), 'two.safetensors': shard('bc') },
    /expected tensor "c" in one shard/,
  ],
  'two names of one shard': [
    {
      ...good,
      [indexName]: indexOf({ a: 'one.safetensors', b: 'again.safetensors' }),
      'again.safetensors': linkTo('one.safetensors'),
    },
    /expected tensor "a" in one shard/,
  ],
  'a shard that is empty': [{ ...good, 'two.safetensors': '' }, /two\.safetensors, got 0/],
  'a shard that is a folder': [
    { ...good, 'two.safetensors': (path) => mkdirSync(path) },
    /two\.safetensors, got a folder/,
  ],
  'a shard that is a pipe': [
    { ...good, 'two.safetensors': (path) => execFileSync('mkfifo', [path]) },
    /two\.safetensors, got something not a regular file/,
  ],
  'a shard that is a page': [{ ...good, 'two.safetensors': '<!doctype html><title>404</title>' }, /two\.safetensors/],
  'a shard that stands for a large file': [
    { ...good, 'two.safetensors': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n' },
    /two\.safetensors/,
  ],
  'a shard with a header of 100 MB': [
    { ...good, 'two.safetensors': sparse(frame('{', undefined, 100_000_001n), 100_000_100) },
    /header of at most 100000000 bytes in .*two\.safetensors, got 100000001/,
  ],
  'a shard with a header of zeros': [
    { ...good, 'two.safetensors': sparse(frame('{', undefined, 99_999_999n), 100_000_007) },
    /expected .* in the header of .*two\.safetensors/,
  ],
  'an index of more than 100 MB': [
    { ...good, [indexName]: sparse(goodIndex, 100_000_001) },
    /an index of at most 100000000 bytes in .*, got 100000001/,
  ],
  'an index that is a folder': [{ ...good, [indexName]: (path) => mkdirSync(path) }, /index\.json, got a folder/],
  'a link to the folder above': [
    { ...good, 'two.safetensors': linkTo('../outside.safetensors'), '../outside.safetensors': shard('b') },
    /expected shards inside .*, got "two\.safetensors", a link to .*outside/,
  ],
  'a link to a link that leads out': [
    {
      ...good,
      'two.safetensors': linkTo('three.safetensors'),
      'three.safetensors': linkTo('../outside.safetensors'),
      '../outside.safetensors': shard('b'),
    },
    /expected shards inside .*, a link to .*outside/,
  ],
  'a link to an absolute path': [{ ...good, 'two.safetensors': linkTo('/etc/hostname') }, /two\.safetensors/],
  'a link to a device': [{ ...good, 'two.safetensors': linkTo('/dev/zero') }, /a link to \/dev\/zero/],
  'a link to itself': [
    { ...good, 'two.safetensors': linkTo('two.safetensors') },
    /two\.safetensors, got Too many levels/,
  ],
  'a link to nothing': [{ ...good, 'two.safetensors': linkTo('gone') }, /two\.safetensors, got No such file/],
  'a link into a folder of the folder': [
    { ...good, 'two.safetensors': linkTo('deep/two.safetensors'), 'deep/two.safetensors': shard('b') },
    /expected shards inside/,
  ],
  'a link to blobs that are not of a cache': [
    { ...good, 'two.safetensors': linkTo('../../blobs/x'), '../../blobs/x': shard('b') },
    /expected shards inside/,
  ],
}

/** Folders in the layout of the hub's cache: the index lies in `snapshots/main`. */
const snapshots: Record<string, string> = {
  'a link to the blobs of another repository': '../../../other/blobs/x',
  'a link to the references': '../../refs/x',
  'a link to another snapshot': '../other/two.safetensors',
  'a link below the blobs': '../../blobs/deep/x',
}

export function* malformedFolders(): Generator<MalformedFolder> {
  const at = 'outer/model'
  for (const [name, [text, reason]] of Object.entries(texts)) {
    yield { name: `an index with ${name}`, at, files: { ...good, [indexName]: text }, reason }
  }
  for (const name of [...notBeside, ...moreNotBeside]) {
    const files = { ...good, [indexName]: indexOf({ a: name }) }
    yield {
      name: `a shard named ${JSON.stringify(name)}`,
      at,
      files,
      reason: /expected shards that are plain file names/,
    }
  }
  for (const [name, [files, reason]] of Object.entries(shards)) yield { name, at, files, reason }
  for (const [name, target] of Object.entries(snapshots)) {
    const files = { ...good, 'two.safetensors': linkTo(target), [target]: shard('b') }
    yield { name, at: 'cache/repository/snapshots/main', files, reason: /expected shards inside .*, a link to/ }
  }
  for (let size = 0; size < goodIndex.length; size++) {
    const files = { ...good, [indexName]: goodIndex.slice(0, size) }
    yield { name: `an index cut to ${size} bytes`, at, files, reason: /index\.json/ }
  }
  for (let size = 0; size < shard('b').length; size++) {
    const files = { ...good, 'two.safetensors': shard('b').slice(0, size) }
    yield { name: `a shard cut to ${size} bytes`, at, files, reason: /two\.safetensors/ }
  }
}
