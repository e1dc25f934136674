import { statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { constrainedMemory } from 'node:process'
import { inWords } from '../../lib/bytes.ts'

/** What this machine has room for. */
export interface Room {
  /** That this user may still fill, in the file system of the folder. */
  freeDiskBytes(folder: string): Promise<number>
  /** All of it, free or not: what runs now may end. */
  memoryBytes(): number
}

export const systemRoom: Room = {
  async freeDiskBytes(folder) {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  },
  memoryBytes() {
    const limit = constrainedMemory() // of the container; 0 or beyond all memory where there is none
    return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  },
}

/** Left free on the disk: the database must still be able to write. */
const diskReserveBytes = 64 * 1024 * 1024
/** Beside the weights: the context of one conversation and the program itself. */
const memoryReserveBytes = 256 * 1024 * 1024

/** @throws Error with the numbers when the file does not fit on the disk, or the model not into memory */
export async function refuseUnfit(
  { name, sizeBytes, haveBytes, folder }: { name: string; sizeBytes: number; haveBytes: number; folder: string },
  room: Room,
): Promise<void> {
  const freeBytes = await room.freeDiskBytes(folder)
  const diskBytes = sizeBytes - haveBytes + diskReserveBytes
  if (diskBytes > freeBytes)
    throw new Error(
      `${name} does not fit on the disk: it needs ${inWords(diskBytes)}, ${inWords(freeBytes)} are free in ${folder}. Make room, choose a smaller quantisation, or try nevertheless with --force.`,
    )
  const memoryBytes = sizeBytes + memoryReserveBytes
  if (memoryBytes > room.memoryBytes())
    throw new Error(
      `${name} does not fit into memory: it needs about ${inWords(memoryBytes)}, this machine has ${inWords(room.memoryBytes())}. Choose a smaller model or quantisation, or pull it nevertheless with --force.`,
    )
}
