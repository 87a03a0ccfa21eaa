// The controller's state as it is at its start, for tests of its actors: empty stores and queues, pacing, and settings.
import { Layer } from "effect"
import { Decisions } from "../../src/controller/Decisions.ts"
import { ImageQueue, WorkloadQueue } from "../../src/controller/Queues.ts"
import { WatchStates } from "../../src/kube/watch/WatchStates.ts"
import { Pacing } from "../../src/rewrite/Pacing.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { Inventory } from "../../src/store/Inventory.ts"
import { WorkloadStore } from "../../src/store/WorkloadStore.ts"
import { Coverage } from "../../src/upkeep/Coverage.ts"

/** @param backup BACKUP_REGISTRY */
export const controllerState = (settings: Partial<Settings> = {}, backup = "backup.example/copies") =>
  Layer.mergeAll(
    Pacing.layer,
    Decisions.layer,
    Coverage.layer,
    Inventory.layer,
    WorkloadStore.layer,
    WatchStates.layer,
    ImageQueue.layer,
    WorkloadQueue.layer,
    SettingsRef.layerOf(settingsOf(backup, settings))
  )
