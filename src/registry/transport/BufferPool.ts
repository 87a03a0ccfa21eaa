// Read buffers that come back once the receiving socket has handed them to the kernel: fresh ones cost page faults and
// garbage, a third of the time of a copy (measured).

/** At most `keep` idle buffers of `size` bytes. A buffer that is never given back is the garbage collector's. */
export class BufferPool {
  readonly #free: Array<Buffer> = []
  /** By its memory: the buffer, and how many still use a part of it. */
  readonly #home = new WeakMap<ArrayBufferLike, { readonly buffer: Buffer; users: number }>()
  readonly size: number
  readonly #keep: number
  constructor(size: number, keep: number) {
    this.size = size
    this.#keep = keep
  }
  /** A buffer with one user: whoever gives it back. */
  take(): Buffer {
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size)
    this.#home.set(buffer.buffer, { buffer, users: 1 })
    return buffer
  }
  /** One more user of the buffer that `chunk` is a slice of. */
  share(chunk: Uint8Array): void {
    const home = this.#home.get(chunk.buffer)
    if (home !== undefined) home.users++
  }
  owns(chunk: Uint8Array): boolean {
    return this.#home.has(chunk.buffer)
  }
  /** Forgets a buffer: a chunked answer can cut one read into several slices, which must not come back one by one. */
  disown(chunk: Uint8Array): void {
    this.#home.delete(chunk.buffer)
  }
  /** The user of a slice needs it no more; the last one's goes back to the pool. */
  give(chunk: Uint8Array): void {
    const home = this.#home.get(chunk.buffer)
    if (home === undefined || --home.users > 0) return
    this.#home.delete(chunk.buffer)
    if (this.#free.length < this.#keep) this.#free.push(home.buffer)
  }
}
