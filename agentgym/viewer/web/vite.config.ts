// Builds the page into ../static, with a list of what it was made from and what it is.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { defineConfig, type Plugin } from "vite";

const WEB = import.meta.dirname;
const STATIC = join(WEB, "..", "static");
const LIST = "digests.txt";

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("node_modules"));
}

function digests(): Plugin {
  return {
    name: "digests",
    closeBundle() {
      const built = filesUnder(STATIC).filter((path) => !path.endsWith(LIST));
      const lines = [...filesUnder(WEB), ...built]
        .map((path) => [relative(join(WEB, ".."), path), readFileSync(path)] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([path, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${path}`);
      writeFileSync(join(STATIC, LIST), `${lines.join("\n")}\n`);
    },
  };
}

export default defineConfig({
  root: WEB,
  base: "/",
  publicDir: "public",
  plugins: [digests()],
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    target: "es2024",
    modulePreload: false,
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      output: {
        entryFileNames: "app.js",
        assetFileNames: "app[extname]",
      },
    },
  },
});
