// node:http without an import statement: importing it reads all of its exports, one of which loads Node's own copy of undici and
// node:http2, a tenth of an idle controller's memory.
module.exports = process.getBuiltinModule("node:http")
