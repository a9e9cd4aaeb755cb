// `npm run docs:figures`: copies measured figures from the tables that they come from into the prose that cites them.
//
// A cited figure has a name of docs/figures.json, in comments that Markdown does not show:
//
//   one group takes <!--figure one-group-->1.19<!--/--> times
//
// docs/figures.json has the place of each: a file, labels, and the title of a column (the first of that title). A label is a cell
// of the row, or the heading above the table; together they must name one row. The first number of the cell is taken, rounded to
// as many decimals as the text has. tests/figures.test.ts fails where a text and its table differ.
//
// Whole tables and outputs of commands are copied from saved results: what stands between `<!--copy FILE-->` and `<!--/copy-->` is the
// table of a Markdown file, or a text file as a block of code.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const COPIED = /<!--copy (?<file>\S+)-->.*?<!--\/copy-->/gs;
const CITED = /<!--figure (?<name>[\w-]+)-->(?<text>.*?)<!--\/-->/g;

/** The tables of a Markdown text: the heading above each, the titles of its columns, and its rows of cells. */
export function tablesOf(markdown) {
  const tables = [];
  let heading = "";
  let table;
  for (const line of markdown.split("\n")) {
    heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
    if (!line.startsWith("|")) {
      table = undefined;
      continue;
    }
    const cells = line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (table === undefined) tables.push((table = { heading, columns: cells, rows: [] }));
    else if (!cells.every((cell) => /^:?-+:?$/.test(cell))) table.rows.push(cells);
  }
  return tables;
}

/** The cell at a place: labels, then the title of its column. Throws an Error unless they name exactly one row. */
export function cellOf(markdown, labels) {
  const [column, ...rest] = labels.toReversed();
  const found = tablesOf(markdown).flatMap(({ heading, columns, rows }) =>
    columns.includes(column)
      ? rows
          .filter((cells) => rest.every((label) => label === heading || cells.includes(label)))
          .map((cells) => cells[columns.indexOf(column)])
      : [],
  );
  if (found.length !== 1) throw new Error(`"${labels.join("; ")}" names ${found.length} rows; it must name one`);
  return found[0];
}

/** The text with every copy of a saved result as its file has it. */
export function withCopies(markdown, read) {
  return markdown.replace(COPIED, (_, file) => {
    const saved = read(file);
    const table = saved.split("\n").filter((line) => line.startsWith("|"));
    const copy = file.endsWith(".md") ? table.join("\n") : `\`\`\`text\n${saved.trimEnd()}\n\`\`\``;
    return `<!--copy ${file}-->\n\n${copy}\n\n<!--/copy-->`;
  });
}

/**
 * The text with every cited figure as its table has it.
 *
 * @param places - File, labels and column by the name of a figure.
 * @param read - Gives the text of a file by its path.
 */
export function withFigures(markdown, places, read) {
  return markdown.replace(CITED, (whole, name, text) => {
    if (places[name] === undefined) throw new Error(`the figure "${name}" is not in docs/figures.json: add its place`);
    const [file, ...labels] = places[name];
    const cell = cellOf(read(file), labels);
    const number = /-?\d+(\.\d+)?/.exec(cell)?.[0];
    if (number === undefined)
      throw new Error(`${file}: the cell of the figure "${name}" is "${cell}", which has no number`);
    const decimals = /\.(\d+)/.exec(text)?.[1].length ?? 0;
    return whole.replace(`-->${text}<!--`, `-->${Number(number).toFixed(decimals)}<!--`);
  });
}

/** The documents that may cite figures, by their paths from the root. */
export function documents() {
  const docs = readdirSync(join(root, "docs"), { recursive: true }).map((file) => `docs/${String(file)}`);
  return ["README.md", "models/README.md", ...docs.filter((file) => file.endsWith(".md"))];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const read = (file) => readFileSync(join(root, file), "utf8");
  const places = JSON.parse(read("docs/figures.json"));
  for (const file of documents()) {
    const [before, after] = [read(file), withFigures(withCopies(read(file), read), places, read)];
    if (before === after) continue;
    writeFileSync(join(root, file), after);
    console.log(`${file}: figures copied from their tables`);
  }
}
