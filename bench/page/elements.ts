// Elements of the page: found, made and filled.

/** Makes an element with text or with other nodes in it. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  content: string | readonly Node[] = "",
  className = "",
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (typeof content === "string") made.textContent = content;
  else made.append(...content);
  if (className !== "") made.className = className;
  return made;
}

/** The element of the page. Throws an Error where it is not there. */
export function found<E extends Element>(selector: string, kind: new () => E): E {
  const one = document.querySelector(selector);
  if (one instanceof kind) return one;
  throw new Error(`the page has no ${selector}`);
}

/** Fills a list; a value may have a text of its own. */
export function fill(
  form: HTMLFormElement,
  name: string,
  values: readonly (string | readonly [value: string, text: string])[],
  chosen: string,
): void {
  const select = form.elements.namedItem(name);
  if (!(select instanceof HTMLSelectElement)) throw new Error(`the page has no list ${name}`);
  for (const one of values) {
    const [value, text] = typeof one === "string" ? [one, one] : one;
    select.append(new Option(text, value, value === chosen, value === chosen));
  }
}

/** A section with a title and what it says. */
export function section(title: string, note: string, ...content: readonly Element[]): HTMLElement {
  return element("section", [element("h3", title), element("p", note, "note"), ...content]);
}

/** A table; a cell may be a node, and a row may have a class. */
export function table(
  head: readonly string[],
  rows: readonly { readonly cells: readonly (string | Node)[]; readonly className?: string; readonly title?: string }[],
): HTMLElement {
  const cellOf = (cell: string | Node) =>
    cell instanceof HTMLTableCellElement ? cell : element("td", typeof cell === "string" ? cell : [cell]);
  const lines = rows.map(({ cells, className = "", title }) => {
    const line = element("tr", cells.map(cellOf), className);
    if (title !== undefined) line.title = title;
    return line;
  });
  const titles = element(
    "tr",
    head.map((title) => element("th", title)),
  );
  return element("div", [element("table", [element("thead", [titles]), element("tbody", lines)])], "table");
}
