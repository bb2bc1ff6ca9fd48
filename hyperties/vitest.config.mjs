// Unit tests of the Hyperties, on a bus of a few lines.
import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["test/**/*.test.ts"], watch: false } });
