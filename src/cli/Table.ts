// Table: rows as aligned columns of plain text, as kubectl prints them.

/** Lines of text, the head first; columns are as wide as their widest cell, the last one is not padded. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)))
  return all.map((row) =>
    row.map((cell, column) => column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)).join("   ")
  ).join("\n")
}
