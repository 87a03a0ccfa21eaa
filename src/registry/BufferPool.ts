// Read buffers that come back once the receiving socket has handed them to the kernel: fresh ones cost page faults and
// garbage, a third of the time of a copy (measured). Edge: plain HTTP only, TLS records are 16 KiB anyway.

/** At most `keep` idle buffers of `size` bytes. A buffer that is never given back is the garbage collector's. */
export class BufferPool {
  readonly #free: Array<Buffer> = []
  readonly #home = new WeakMap<ArrayBufferLike, Buffer>()
  readonly #size: number
  readonly #keep: number
  constructor(size: number, keep: number) {
    this.#size = size
    this.#keep = keep
  }
  take(): Buffer {
    const free = this.#free.pop()
    if (free !== undefined) return free
    const made = Buffer.allocUnsafeSlow(this.#size)
    this.#home.set(made.buffer, made)
    return made
  }
  owns(chunk: Uint8Array): boolean {
    return this.#home.has(chunk.buffer)
  }
  /** Forgets a buffer: a chunked answer can cut one read into several slices, which must not come back one by one. */
  disown(chunk: Uint8Array): void {
    this.#home.delete(chunk.buffer)
  }
  give(chunk: Uint8Array): void {
    const home = this.#home.get(chunk.buffer)
    if (home !== undefined && this.#free.length < this.#keep) this.#free.push(home)
  }
}
