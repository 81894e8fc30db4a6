import { defineConfig } from 'vitest/config'

// Tests run against the sources: '@underpass/source' is an export condition of every package here.
const conditions = ['@underpass/source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions: [...conditions, 'node', 'module', 'default'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/test/**/*.test.ts'],
    testTimeout: 20_000,
  },
})
