// Packs a file for embedding, as native/core/os/inflate.h unpacks it: its length in 8 bytes, then a zlib stream.
import { readFileSync, writeFileSync } from 'node:fs'
import { constants, deflateSync } from 'node:zlib'

const [from, to] = process.argv.slice(2)
const bytes = readFileSync(from)
const length = Buffer.alloc(8)
length.writeBigUInt64LE(BigInt(bytes.length))
writeFileSync(to, Buffer.concat([length, deflateSync(bytes, { level: constants.Z_BEST_COMPRESSION })]))
