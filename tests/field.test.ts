// What other implementations print for files of the kinds that people have: counts of right, refused and different.

import { existsSync } from "node:fs";
import { describe } from "vitest";
import { testFieldTemplates } from "./support/field-templates.ts";

const fixtures = "../shared/fixtures/field";

describe.skipIf(!existsSync(fixtures))("files as people have them (needs ../shared)", () => {
  testFieldTemplates(`${fixtures}/templates.json.gz`);
});
