// Stands in for undici's HTTP/2 client in the bundle: every agent is made with `allowH2: false`, and node:http2 would be loaded at
// the start all the same.
module.exports = () => {
  throw new Error("HTTP/2 is not in this bundle: an agent was made without allowH2: false")
}
