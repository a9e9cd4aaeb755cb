// The body of a request as JSON, read no further than the limit.

import { ApiError, invalid } from "./api-error.ts";
import type { Work } from "./server.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Reads a body. Throws an {@link ApiError} for one that is too large, is not declared as JSON, or is none. */
export async function readBody(request: Request, work: Work, most: number): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new ApiError(415, `content-type is ${JSON.stringify(type.slice(0, 80))}: wanted application/json`);
  }
  const tooLarge = (size: string) =>
    new ApiError(413, `the body has ${size} bytes: this server reads ${most} (--body-limit)`, {
      code: "body_too_large",
    });
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > most) throw tooLarge(String(declared));
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > most) throw tooLarge(`more than ${most}`);
    work.countBody(chunk.length);
    chunks.push(chunk);
  }
  let text: string;
  try {
    text = utf8.decode(Buffer.concat(chunks));
  } catch {
    throw invalid("the body is not UTF-8");
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw invalid(`the body is no JSON: ${(error as SyntaxError).message}`, undefined, "invalid_json");
  }
}
