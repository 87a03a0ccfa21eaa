// GoogleLibrary: Google's library, as far as it is used: the files that GOOGLE_APPLICATION_CREDENTIALS names, of every kind (keys,
// workload identity federation, impersonation). A chunk of its own, loaded with the first registry of Google that such a file
// opens: nothing else may import this file but by `import()`. Edge: promises and the library's own errors.
import { Redacted } from "effect"
import { gaxios, GoogleAuth } from "google-auth-library"
import { DispatchError } from "../transport/DispatchError.ts"
import type { SdkRequests } from "../identity/SdkRequests.ts"

export interface GoogleToken {
  readonly token: Redacted.Redacted | undefined
  /** Epoch milliseconds. */
  readonly expiresAt: number | undefined
  /** Whose it is, where the file says so. */
  readonly email: string | undefined
}

const scopes = ["https://www.googleapis.com/auth/cloud-platform"]

const bytesOf = (body: unknown): string | Uint8Array | undefined =>
  body instanceof URLSearchParams
    ? body.toString()
    : typeof body === "string" || body instanceof Uint8Array
    ? body
    : undefined

/** `fetch` over the program's own sockets. */
const fetchBy = (requests: SdkRequests): typeof fetch => async (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input)
  try {
    const { response } = await requests.handle({
      method: init?.method ?? "GET",
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      path: url.pathname + url.search,
      headers: Object.fromEntries(new Headers(init?.headers)),
      body: bytesOf(init?.body)
    }, { abortSignal: init?.signal })
    const { body, headers, statusCode } = response
    return new Response(new Uint8Array(body), { status: statusCode, headers })
  } catch (error) {
    return Promise.reject(
      error instanceof DispatchError ? new Error(`${url.host}: ${error.detail}`, { cause: error }) : error
    )
  }
}

/**
 * Clients that exchange tokens at STS, or act for another account, make further ones, and do not hand on what they send by
 * (11.3.4): those would go past our time-outs and authorities.
 */
const sendBy = (transporter: gaxios.Gaxios, client: unknown): void => {
  if (typeof client !== "object" || client === null) return
  if ("transporter" in client) Object.assign(client, { transporter })
  for (const name of ["stsCredential", "sourceClient"]) sendBy(transporter, Reflect.get(client, name))
}

/**
 * The token of whoever the file names that the library finds: GOOGLE_APPLICATION_CREDENTIALS, or else gcloud's own. It is read
 * anew each time: it may have been replaced.
 */
export const tokenOfFile = async (requests: SdkRequests): Promise<GoogleToken> => {
  const transporter = new gaxios.Gaxios({ fetchImplementation: fetchBy(requests) })
  // a project is looked for otherwise, at services that a policy for egress need not allow
  const auth = new GoogleAuth({ projectId: "unused", scopes })
  // what it has found out of where it runs: where the file is gone it would ask the metadata service, through a proxy
  Object.assign(auth, { checkIsGCE: false })
  const { credential } = await auth.getApplicationDefault({ transporter })
  sendBy(transporter, credential)
  const { token } = await credential.getAccessToken()
  const email = "email" in credential && typeof credential.email === "string" ? credential.email : undefined
  return {
    token: typeof token === "string" && token !== "" ? Redacted.make(token, { label: "cloud token" }) : undefined,
    expiresAt: credential.credentials.expiry_date ?? undefined,
    email
  }
}
