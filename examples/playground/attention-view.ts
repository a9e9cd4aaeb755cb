// The attention section: a small map of every head to choose from, the chosen one large, and the text tinted by what the
// query under the pointer looks at. The arrow keys move the query and key where there is no pointer.

import type { Patterns } from "./session.ts";

/** Looks up an element that index.html has. */
export function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element "${id}"`);
  return found as T;
}

/** A token for people: white space in it can be seen. */
function shown(token: string): string {
  return token.replaceAll("\n", "\\n").replaceAll("\t", "\\t").replaceAll(" ", "·");
}

/** A colour of style.css in numbers; a canvas spells any notation out as #rrggbb. */
function color(name: string): readonly [number, number, number] {
  const context = document.createElement("canvas").getContext("2d")!;
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const hex = String(context.fillStyle);
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as [number, number, number];
}

/** Paints weights [size, size] one pixel a cell, from the panel's colour to the accent; square roots show small weights. */
function paint(canvas: HTMLCanvasElement, weights: Float32Array, size: number): void {
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(size, size);
  const [from, to] = [color("--panel"), color("--accent")];
  for (const [cell, weight] of weights.entries()) {
    const share = Math.sqrt(weight);
    for (let channel = 0; channel < 3; channel++) {
      image.data[cell * 4 + channel] = from[channel]! + (to[channel]! - from[channel]!) * share;
    }
    image.data[cell * 4 + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** The section, filled anew for each text. */
export class AttentionView {
  readonly #section = element("attention");
  readonly #heads = element("heads");
  readonly #map = element<HTMLCanvasElement>("map");
  readonly #cell = element("cell");
  readonly #line = element("tokens");
  readonly #name = element("head-name");
  #patterns: Patterns | undefined;
  #weights: Float32Array = new Float32Array(0);
  #layer = Number.POSITIVE_INFINITY; // the last, at first
  #head = 0;
  #query = 0;
  #key = 0;

  constructor() {
    this.#map.addEventListener("pointermove", ({ offsetX, offsetY }) => this.#point(offsetX, offsetY));
    this.#map.addEventListener("pointerdown", ({ offsetX, offsetY }) => this.#point(offsetX, offsetY));
    this.#map.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.#select(this.#query + step[0]!, this.#key + step[1]!);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paintAll());
  }

  hide(): void {
    this.#section.hidden = true;
  }

  /** Shows these patterns, with the head that was chosen before. */
  show(patterns: Patterns): void {
    this.#patterns = patterns;
    this.#layer = Math.min(this.#layer, patterns.layers - 1);
    this.#head = Math.min(this.#head, patterns.heads - 1);
    this.#query = patterns.tokens.length - 1;
    this.#key = this.#query;
    this.#heads.style.gridTemplateColumns = `repeat(${patterns.heads}, 1fr)`;
    const buttons: HTMLButtonElement[] = [];
    for (let layer = 0; layer < patterns.layers; layer++) {
      for (let head = 0; head < patterns.heads; head++) buttons.push(this.#button(layer, head));
    }
    this.#heads.replaceChildren(...buttons);
    this.#line.replaceChildren(
      ...patterns.tokens.map((token) => {
        const span = document.createElement("span");
        span.textContent = token;
        return span;
      }),
    );
    this.#section.hidden = false;
    this.#paintAll();
  }

  #button(layer: number, head: number): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-label", `layer ${layer}, head ${head}`);
    button.title = `layer ${layer}, head ${head}`;
    button.append(document.createElement("canvas"));
    button.addEventListener("click", () => this.#choose(layer, head));
    button.addEventListener("keydown", (event) => {
      const { layers, heads } = this.#patterns!;
      const step = { ArrowUp: -heads, ArrowDown: heads, ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const next = layer * heads + head + step;
      if (next < 0 || next >= layers * heads) return;
      this.#choose(Math.floor(next / heads), next % heads);
      (this.#heads.children[next] as HTMLElement).focus();
    });
    return button;
  }

  #paintAll(): void {
    const patterns = this.#patterns;
    if (patterns === undefined) return;
    for (const [i, button] of [...this.#heads.children].entries()) {
      const weights = patterns.weights(Math.floor(i / patterns.heads), i % patterns.heads);
      paint(button.firstElementChild as HTMLCanvasElement, weights, patterns.tokens.length);
    }
    this.#choose(this.#layer, this.#head);
  }

  #choose(layer: number, head: number): void {
    const { heads, weights } = this.#patterns!;
    this.#layer = layer;
    this.#head = head;
    this.#weights = weights(layer, head);
    this.#name.textContent = `layer ${layer}, head ${head}`;
    for (const [i, button] of [...this.#heads.children].entries()) {
      const isChosen = i === layer * heads + head;
      button.setAttribute("aria-checked", String(isChosen));
      (button as HTMLElement).tabIndex = isChosen ? 0 : -1;
    }
    this.#select(this.#query, this.#key);
  }

  #point(x: number, y: number): void {
    const size = this.#patterns!.tokens.length;
    const { clientWidth, clientHeight } = this.#map;
    this.#select(Math.floor((y / clientHeight) * size), Math.floor((x / clientWidth) * size));
  }

  #select(query: number, key: number): void {
    const { tokens } = this.#patterns!;
    const last = tokens.length - 1;
    this.#query = Math.min(last, Math.max(0, query));
    this.#key = Math.min(last, Math.max(0, key));
    this.#drawMap();
    const weight = this.#weights[this.#query * tokens.length + this.#key]!;
    const name = (at: number) => {
      const bold = document.createElement("b");
      bold.textContent = shown(tokens[at]!);
      return bold;
    };
    this.#cell.replaceChildren(
      "token ",
      `${this.#query} `,
      name(this.#query),
      this.#key > this.#query ? " cannot see " : ` gives ${(weight * 100).toFixed(1)} % to `,
      `token ${this.#key} `,
      name(this.#key),
    );
    const [red, green, blue] = color("--accent");
    for (const [i, span] of ([...this.#line.children] as HTMLElement[]).entries()) {
      const share = Math.sqrt(this.#weights[this.#query * tokens.length + i]!);
      span.style.backgroundColor = `rgb(${red} ${green} ${blue} / ${(share * 0.75).toFixed(3)})`;
      span.classList.toggle("query", i === this.#query);
    }
  }

  /** The chosen head, enlarged without smoothing, with a cross of lines through the chosen cell. */
  #drawMap(): void {
    const { tokens } = this.#patterns!;
    const size = tokens.length;
    const small = document.createElement("canvas");
    paint(small, this.#weights, size);
    const side = Math.max(1, Math.round(this.#map.clientWidth * devicePixelRatio));
    this.#map.width = side;
    this.#map.height = side;
    const context = this.#map.getContext("2d")!;
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, side, side);
    const [red, green, blue] = color("--soft");
    const cell = side / size;
    context.strokeStyle = `rgb(${red} ${green} ${blue} / 0.55)`;
    context.lineWidth = devicePixelRatio;
    context.strokeRect(0, this.#query * cell, side, cell);
    context.strokeRect(this.#key * cell, 0, cell, side);
    this.#map.setAttribute(
      "aria-label",
      `Attention of ${this.#name.textContent}, ${size} tokens: queries down, keys across`,
    );
  }
}
