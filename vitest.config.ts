import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests run against the sources: '@underpass/source' is an export condition of every package here.
const conditions = ['@underpass/source']

// The pure packages keep no state in their modules, so their files share a process: most of what a file took was a start and its imports.
const pure = ['certificates', 'eap', 'ike-codec', 'ike-crypto', 'radius', 'session-manager', 'tcp-framing'].map(
  (name) => `packages/${name}/test/**/*.test.ts`,
)
// What counts allocations wants a heap of its own.
const allocations = 'packages/*/test/**/allocation.test.ts'

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions: [...conditions, 'node', 'module', 'default'] } },
  test: {
    testTimeout: 20_000,
    projects: [
      // A process is handed on only within a group, so the projects run one after the other. Vitest would leave one core to itself, half of a machine
      // of two; it has little to do there.
      {
        extends: true,
        test: {
          name: 'pure',
          isolate: false,
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 1 },
          include: pure,
          exclude: [allocations],
        },
      },
      {
        extends: true,
        test: {
          name: 'isolated',
          sequence: { groupOrder: 0 },
          include: [allocations, 'packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/test/**/*.test.ts'],
          exclude: pure.map((pattern) => pattern.replace('*.test.ts', '!(allocation).test.ts')),
        },
      },
    ],
  },
})
