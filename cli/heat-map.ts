// A heat map as SVG, or as a page around it: a picture that opens alone, without scripts and other files. Cells have their numbers as
// tooltips. Colors: white to blue, and red below 0; readable in print and for the color-blind.

/** What a heat map shows. */
export interface HeatMap {
  readonly title: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** [rows][columns]; null for an empty cell */
  readonly values: readonly (readonly (number | null)[])[];
  /** [rows][columns]: written into the cells */
  readonly texts?: readonly (readonly string[])[];
}

/** Most rows and columns of a picture. */
export const MOST_CELLS = 128;
const [CELL, WIDE, LINE] = [22, 64, 12];
const FONT = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:10px";

/**
 * The picture as a document of SVG. Of more rows or columns than {@link MOST_CELLS} it has the last ones, and its title says so: `note` is that
 * sentence, null where everything is drawn.
 */
export function svgOf(map: HeatMap): { readonly svg: string; readonly note: string | null } {
  const [allRows, allColumns] = [map.rows.length, map.columns.length];
  const [firstRow, firstColumn] = [Math.max(0, allRows - MOST_CELLS), Math.max(0, allColumns - MOST_CELLS)];
  const rows = map.rows.slice(firstRow);
  const columns = map.columns.slice(firstColumn);
  const note =
    firstRow + firstColumn === 0
      ? null
      : `drawn are the last ${rows.length} of ${allRows} rows and the last ${columns.length} of ${allColumns} columns`;
  const width = map.texts ? WIDE : CELL;
  const left = 12 + 6.2 * Math.max(...rows.map((row) => shown(row).length), 1);
  const top = 34 + (note === null ? 0 : LINE) + 6.2 * Math.max(...columns.map((column) => shown(column).length), 1);
  const numbers = map.values.flatMap((row) => row.map((value) => Math.abs(value ?? 0)));
  const largest = numbers.reduce((most, value) => Math.max(most, value), 0) || 1;
  const parts = [
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="8" y="18" font-weight="bold">${escaped(map.title)}</text>`,
    ...(note === null ? [] : [`<text x="8" y="32">${escaped(note)}</text>`]),
    ...rows.map((row, i) => {
      return `<text x="${left - 6}" y="${top + i * CELL + 15}" text-anchor="end">${escaped(shown(row))}</text>`;
    }),
    ...columns.map((column, i) => {
      const [x, y] = [left + i * width + width / 2 + 4, top - 6];
      return `<text x="${x}" y="${y}" transform="rotate(-90 ${x} ${y})">${escaped(shown(column))}</text>`;
    }),
  ];
  for (const [i, row] of rows.entries()) {
    for (const [j, column] of columns.entries()) {
      const value = map.values[firstRow + i]![firstColumn + j]!;
      if (value === null) continue;
      const [x, y] = [left + j * width, top + i * CELL];
      const text = map.texts?.[firstRow + i]?.[firstColumn + j];
      const said = `${shown(row)}, ${shown(column)}: ${text === undefined ? "" : `${shown(text)} `}${value.toPrecision(3)}`;
      const share = Math.abs(value) / largest;
      parts.push(
        `<rect x="${x}" y="${y}" width="${width - 1}" height="${CELL - 1}" fill="${colorOf(value / largest)}"><title>${escaped(said)}</title></rect>`,
      );
      if (text === undefined) continue;
      const fill = share > 0.6 ? "#fff" : "#000";
      parts.push(
        `<text x="${x + width / 2}" y="${y + 15}" text-anchor="middle" fill="${fill}" pointer-events="none">${escaped(shown(text).slice(0, 9))}</text>`,
      );
    }
  }
  const lines = [map.title, note ?? ""].map((line) => 16 + 7 * line.length); // so that they are not cut off
  const size = [Math.max(left + columns.length * width + 12, ...lines), top + rows.length * CELL + 12].map(Math.ceil);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size[0]}" height="${size[1]}" viewBox="0 0 ${size[0]} ${size[1]}" style="${FONT}" role="img" aria-label="${escaped(map.title)}">\n${parts.join("\n")}\n</svg>\n`;
  return { svg, note };
}

/** A page with the picture. */
export function htmlOf(map: HeatMap): { readonly html: string; readonly note: string | null } {
  const { svg, note } = svgOf(map);
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(map.title)}</title>`;
  const html = `<!doctype html>\n<html lang="en"><head>${head}</head><body style="margin:0;overflow:auto">\n${svg}</body></html>\n`;
  return { html, note };
}

/** -1 to 1: red, white, blue. */
function colorOf(share: number): string {
  const [from, to] = [[255, 255, 255], share < 0 ? [165, 15, 21] : [8, 48, 107]];
  const strength = Math.min(1, Math.abs(share));
  return `#${from
    .map((value, i) =>
      Math.round(value + (to[i]! - value) * strength)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

/** A token's text on one line, with the spaces at its ends visible. */
function shown(text: string): string {
  return text
    .replaceAll("\n", "⏎")
    .replaceAll("\t", "⇥")
    .replaceAll(/^ +| +$/g, (spaces) => "·".repeat(spaces.length));
}

/** Text for XML, which has no control characters but tabs and line breaks. */
function escaped(text: string): string {
  const safe = Array.from(text, (sign) => (sign < " " || sign > "\ufffd" ? fitting(sign) : sign)).join("");
  return safe.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function fitting(sign: string): string {
  return sign === "\t" || sign === "\n" || sign.length > 1 ? sign : "\ufffd";
}
