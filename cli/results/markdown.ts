// A report in Markdown, piece by piece.

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** A table; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "--:"))), ...rest.map(line)].join("\n");
}

/** A command that a reader can run. */
export function command(...lines: readonly string[]): string {
  return ["```sh", ...lines, "```"].join("\n");
}

/** 0.123 -> `12.3 %`. */
export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`;
}

/** Bytes in the unit that suits them, binary. */
export function bytes(count: number): string {
  if (count < 1 << 20) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / (1 << 20)).toFixed(2)} MiB`;
}

/** A chance as it is usually given. */
export function chance(pValue: number): string {
  return pValue < 0.001 ? "p < 0.001" : `p = ${pValue.toFixed(3)}`;
}
