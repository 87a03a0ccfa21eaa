// TreeLimits: how large the manifests of one image may be, taken together: the same for copying, verifying and measuring, or one
// of them would call damaged what another has copied. Registries bound single manifests only (OCI distribution-spec: 4 MiB).

const deepest = 8
const mostDescriptors = 10_000
/** Of all manifests below one image: padded ones, each within what registries take, must not fill the memory. */
const mostManifestBytes = 32 * 1024 * 1024
/** How many manifests of one image are read where it is only looked at: an index of more is not looked at to its end. */
export const mostManifests = 1000

/** What is wrong with a manifest that has so many indexes above it; undefined: nothing. */
export const tooDeep = (depth: number): string | undefined =>
  depth > deepest ? `indexes are nested deeper than ${deepest}` : undefined

/** What is wrong with an image whose manifests name so many parts, and have so many bytes, so far; undefined: nothing. */
export const tooMuch = (sum: { readonly descriptors: number; readonly bytes: number }): string | undefined =>
  sum.descriptors > mostDescriptors
    ? `it refers to more than ${mostDescriptors} parts`
    : sum.bytes > mostManifestBytes
    ? `its manifests have more than ${mostManifestBytes} bytes in all`
    : undefined
