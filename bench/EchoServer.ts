// The peer of the admission webhook: a bare node:https server that reads an AdmissionReview and answers that the object may pass,
// which is what no webhook in Node.js can go below. node bench/EchoServer.ts <certificate> <key>, files of PEM; prints its port.
import { readFileSync } from "node:fs"
import { createServer } from "node:https"

const [certificate = "", key = ""] = process.argv.slice(2)

const server = createServer({
  cert: readFileSync(certificate),
  key: readFileSync(key),
  noDelay: true,
  keepAliveTimeout: 95_000
}, (request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
    const review: { readonly request: { readonly uid: string } } = JSON.parse(Buffer.concat(chunks).toString())
    const body = Buffer.from(JSON.stringify({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid: review.request.uid, allowed: true }
    }))
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body)
  })
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  console.log(`listening on ${typeof address === "object" ? address?.port : address}`)
})
