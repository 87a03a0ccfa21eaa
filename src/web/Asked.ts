// Asked: what a person means by the words of a question: a workload by kind, namespace and name, or an image by a reference. Pure.
// Edge: whether there is such a thing is FindAsked's.
import { Result } from "effect"
import { keyKindNamed, kinds } from "../workload/Kinds.ts"

/** What is asked about: of a workload `Kind/namespace/name`, or `namespace/name` whatever its kind. */
export interface Asked {
  readonly about: "workload" | "image"
  readonly name: string
}

/** No name in Kubernetes and no reference to an image is longer. */
const longest = 1000

const kindNames = kinds.map((it) => it.kind).join(", ")

const noKind = (word: string): string =>
  `there is no kind ${JSON.stringify(word)} that runs pods; there are ${kindNames}, and those of EXTRA_KINDS`

const named = (name: string): Result.Result<Asked, string> => Result.succeed({ about: "workload", name })

/** `deploy/web`, `Deployment/shop/web`, or a single word that is a name where a namespace is given. */
const ofOne = (text: string, namespace: string | undefined): Result.Result<Asked, string> => {
  const parts = text.split("/")
  const [first = "", second = "", third = ""] = parts
  const kind = keyKindNamed(first)
  if (kind !== undefined && parts.length === 2 && second !== "") {
    return named(`${kind}/${namespace ?? "default"}/${second}`)
  }
  if (kind !== undefined && parts.length === 3 && second !== "" && third !== "") {
    return namespace === undefined || namespace === second
      ? named(`${kind}/${second}/${third}`)
      : Result.fail(`${text} is in namespace ${second}, and -n says ${namespace}`)
  }
  // no host and no repository of an image has a capital letter without a dot
  if (parts.length > 1 && /^[A-Z][A-Za-z]*$/.test(first)) return Result.fail(noKind(first))
  return parts.length === 1 && namespace !== undefined && !/[:@.]/.test(text)
    ? named(`${namespace}/${text}`)
    : Result.succeed({ about: "image", name: text })
}

/**
 * What words on a command line ask about.
 * @param words one, or a kind and a name as for kubectl
 * @param namespace that was named beside them
 * @returns or what is wrong with them
 */
export const askedOf = (
  words: ReadonlyArray<string>,
  namespace: string | undefined
): Result.Result<Asked, string> => {
  const [first = "", second, ...rest] = words.map((it) => it.trim())
  if (first === "" || rest.length > 0) {
    return Result.fail("name one workload (Deployment/shop/web, or deploy/web -n shop) or one image (nginx:1.27)")
  }
  if (words.some((it) => it.length > longest)) return Result.fail(`no name has more than ${longest} characters`)
  if (second === undefined) return ofOne(first, namespace)
  if (second === "" || second.includes("/")) {
    return Result.fail(`${JSON.stringify(second)} is not the name of an object`)
  }
  const kind = keyKindNamed(first)
  return kind === undefined
    ? Result.fail(noKind(first))
    : named(`${kind}/${namespace ?? "default"}/${second}`)
}
