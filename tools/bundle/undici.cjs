// The part of undici that the program uses. The bundler puts it in place of the whole: fetch, caches, mocks and web sockets would
// be a tenth of an idle controller's memory, and are never called. undici has no exports map: its files may be named.
const Dispatcher = require("undici/lib/dispatcher/dispatcher.js")

// as undici's own index does: gives every dispatcher `request` and the like
Object.assign(Dispatcher.prototype, require("undici/lib/api/index.js"))

exports.Dispatcher = Dispatcher
exports.Agent = require("undici/lib/dispatcher/agent.js")
exports.ProxyAgent = require("undici/lib/dispatcher/proxy-agent.js")
exports.Socks5ProxyAgent = require("undici/lib/dispatcher/socks5-proxy-agent.js")
exports.buildConnector = require("undici/lib/core/connect.js")
exports.errors = require("undici/lib/core/errors.js")
