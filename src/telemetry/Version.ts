// Which version of the program this is. The bundler copies it out of package.json.
import manifest from "../../package.json" with { type: "json" }

export const version: string = manifest.version
