import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests run against the sources: '@underpass/source' is an export condition of every package here.
const conditions = ['@underpass/source']

// The pure packages keep no state in their modules, so their files share a process: most of what a file took was a start and its imports.
const pure = ['certificates', 'eap', 'ike-codec', 'ike-crypto', 'radius', 'session-manager', 'tcp-framing'].map(
  (name) => `packages/${name}/test/**/*.test.ts`,
)
// What counts allocations wants a heap of its own, and a compiler that is not kept waiting: one after the other.
const allocations = 'packages/*/test/**/allocation.test.ts'
const all = ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/test/**/*.test.ts']
// Vitest would leave one core to itself, half of a machine of two; it has little to do there.
const maxWorkers = availableParallelism()

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions: [...conditions, 'node', 'module', 'default'] } },
  test: {
    testTimeout: 20_000,
    // A process is handed on only within a group, so the projects run one after the other.
    projects: [
      { extends: true, test: { name: 'alone', maxWorkers: 1, sequence: { groupOrder: 0 }, include: [allocations] } },
      {
        extends: true,
        test: { name: 'of its own', maxWorkers, sequence: { groupOrder: 1 }, include: all, exclude: [allocations, ...pure] },
      },
      {
        extends: true,
        test: { name: 'pure', isolate: false, maxWorkers, sequence: { groupOrder: 2 }, include: pure, exclude: [allocations] },
      },
    ],
  },
})
