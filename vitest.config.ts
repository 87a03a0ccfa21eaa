import { defineConfig } from "vitest/config"
import ClosingLine from "./test/reporters/ClosingLine.ts"
import FailedTests from "./test/reporters/FailedTests.ts"
import SlowestFiles from "./test/reporters/SlowestFiles.ts"

export default defineConfig({
  test: {
    reporters: ["default", new SlowestFiles(10), new FailedTests(20), new ClosingLine()],
    coverage: { provider: "v8", include: ["src/**", "sandbox/**"], reporter: ["text-summary"] },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.integration.test.ts"],
          // a busy machine is no fault of a test's
          testTimeout: 20_000,
          provide: { patience: 15_000 }
        }
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/**/*.integration.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          provide: { patience: 60_000 },
          fileParallelism: false
        }
      },
      {
        extends: true,
        test: {
          name: "judge",
          include: ["test/judges/*.judge.ts"],
          hookTimeout: 120_000,
          provide: { patience: 60_000 },
          fileParallelism: false
        }
      }
    ]
  }
})
