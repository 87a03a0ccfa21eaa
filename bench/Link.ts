// A TCP link with a round trip of its own before a registry: every byte, and every new connection, takes its time.
// Runs as a process, so that it delays all tools alike: node bench/Link.ts <port> <milliseconds of a round trip>;
// prints the port it listens on. Edge: no bandwidth of its own, no losses.
import { connect, createServer, type Socket } from "node:net"

const [port = "", roundTrip = "20"] = process.argv.slice(2)
const oneWay = Number(roundTrip) / 2

/** So much may be on its way in one direction before the sender waits. */
const window = 8 * 1024 * 1024

const carry = (from: Socket, to: Socket): void => {
  const queue: Array<{ readonly at: number; readonly chunk: Buffer | undefined }> = []
  let bytes = 0
  let timer: NodeJS.Timeout | undefined
  const deliver = () => {
    timer = undefined
    const now = performance.now()
    for (let next = queue[0]; next !== undefined && next.at <= now; next = queue[0]) {
      queue.shift()
      if (next.chunk === undefined) to.end()
      else {
        bytes -= next.chunk.length
        to.write(next.chunk)
      }
    }
    if (bytes < window) from.resume()
    const first = queue[0]
    if (first !== undefined) timer = setTimeout(deliver, Math.max(0, first.at - now))
  }
  const send = (chunk: Buffer | undefined) => {
    queue.push({ at: performance.now() + oneWay, chunk })
    bytes += chunk?.length ?? 0
    if (bytes >= window) from.pause()
    timer ??= setTimeout(deliver, oneWay)
  }
  from.on("data", send)
  from.on("end", () => send(undefined))
}

const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  // what opening a connection costs beyond the loopback's: SYN there, SYN+ACK back
  client.pause()
  setTimeout(() => {
    const upstream = connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    client.on("error", end).on("close", end)
    upstream.on("error", end).on("close", () => setTimeout(end, oneWay + 1))
    carry(client, upstream)
    carry(upstream, client)
    client.resume()
  }, Number(roundTrip))
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  console.log(`listening on ${typeof address === "object" ? address?.port : address}`)
})
