// Of linkedom, what plots need: its own declarations are of a whole DOM, beside TypeScript's.

declare module "linkedom" {
  export function parseHTML(html: string): { readonly document: Document };
}
