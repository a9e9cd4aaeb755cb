#!/usr/bin/env node
// Runs the command with this process's arguments and streams.

import { runAsProcess } from "./as-process.ts";
import { main } from "./main.ts";

await runAsProcess("kedge", (streams) => main(process.argv.slice(2), streams));
