/** What a profile says. Plain data; times in ms, sizes in bytes, shares from 0 to 1. */

export interface ProfileOptions {
  /** Look at the records of this collection alone. Default: at all. */
  readonly collection?: string
  /** Follow a living store for so many ms, and leave out what was stored before. Default 0: what is stored, and nothing after it. */
  readonly forMs?: number
}

/** Percentiles are within 1.6 %; mean and max are exact. All 0 when nothing was counted. */
export interface Distribution {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** What of the records would be left if `factor` intervals were one: the last record of a key in each. */
export interface Merged {
  readonly factor: number
  readonly recordsShare: number
  readonly bytesShare: number
  /** Of `bytesShare`, relative, two standard errors of the sampling of keys; 0 when every key was followed. */
  readonly errorShare: number
}

export interface CollectionProfile {
  readonly name: string
  readonly kind: 'map' | 'value' | 'several'
  /** After the last epoch looked at. */
  readonly entries: number
  /** Epochs with a record of it. */
  readonly epochs: number
  /** An epoch has one record of a key, however often it was set: mutations were at least so many. */
  readonly records: number
  /** Of records, before compression. */
  readonly bytes: number
  readonly recordsPerSecond: number
  readonly bytesPerSecond: number
  readonly recordsPerEpoch: Distribution
  readonly bytesPerEpoch: Distribution
  readonly recordBytes: Distribution
  /** Tombstones among the records. */
  readonly deletedShare: number
  /** Records of the same bytes as the record of that key before, by number and by bytes. */
  readonly redundantShare: number
  readonly redundantBytesShare: number
  /** Bytes of records that another one of the same epoch made void: what was captured before the barrier and written again. */
  readonly wastedBytesShare: number
  /** Records of 64 KiB and more. */
  readonly large: { readonly records: number; readonly bytesShare: number; readonly maxBytes: number }
  /** Keys that were followed, chosen by a hash; 1: all, and nothing here is estimated. Keys with very many records are followed always. */
  readonly sampledShare: number
  readonly distinctKeys: number
  /** Of `distinctKeys`, relative, two standard errors. */
  readonly distinctErrorShare: number
  /** Of the last records of these keys. */
  readonly distinctBytes: number
  /** Records / distinct keys. */
  readonly rewriteRatio: number
  /** The fewest keys that make 50 % and 90 % of the records, and the bytes of the latter's last records. */
  readonly hotSet: { readonly keys50: number; readonly keys90: number; readonly bytes90: number }
  /** For 2, 4 and 8 intervals. */
  readonly merged: readonly Merged[]
}

export interface IntervalEffect {
  readonly factor: number
  readonly intervalMs: number
  /** Of the log: blocks, commits and what belongs to them. Folding is not in it. */
  readonly bytesPerSecond: number
  readonly commitsPerSecond: number
  /** Of `bytesPerSecond`, relative: sampling of keys and of blocks, and how much it varied from one interval to the next. */
  readonly errorShare: number
}

export interface BlockMeasurement {
  readonly compression: 'zstd' | 'deflate' | 'none'
  readonly level: number
  readonly blockBytes: number
  /** Raw bytes / stored bytes, headers included. */
  readonly ratio: number
  /** To compress a block; to check and decompress one, which is what a cold get costs beside the read itself and decoding its value. */
  readonly compressUs: number
  readonly getUs: number
}

export interface Lull {
  /** Where it begins, ms since 1970. */
  readonly fromMs: number
  readonly durationMs: number
  readonly recordsPerSecond: number
}

export interface HourOfDay {
  /** UTC, 0 to 23. */
  readonly hour: number
  readonly coveredMs: number
  readonly recordsPerSecond: number
  readonly bytesPerSecond: number
}

export interface Effect {
  readonly before: number
  readonly after: number
  /** Of `after`, relative. */
  readonly errorShare: number
}

export interface Recommendation {
  /** A path in Settings, or what a hint is about. */
  readonly setting: string
  /** 'hint': somebody who knows what the data mean has to decide, or this version has no such setting. */
  readonly kind: 'setting' | 'hint'
  readonly collection?: string
  readonly from: string | number
  readonly to: string | number
  readonly why: string
  readonly expected: Readonly<
    Partial<
      Record<'bytesPerSecond' | 'commitsPerSecond' | 'lossMsMax' | 'storedBytesPerEntryByte' | 'getUs' | 'compressUs' | 'heapBytes', Effect>
    >
  >
}

export interface Profile {
  /** False: damage ended the look before the end of the history; `history.damage` says where. */
  readonly ok: boolean
  readonly history: {
    readonly epochs: number
    readonly firstEpoch: number
    readonly lastEpoch: number
    /** Of the first and the last barrier, ms since 1970. */
    readonly fromMs: number
    readonly toMs: number
    /** Time the epochs speak of: without what lies between two lives of the store. With `forMs`, all the time it was followed. */
    readonly coveredMs: number
    /** Times the store was opened anew within it. */
    readonly restarts: number
    /** Epochs that the writer gave back before they could be read. */
    readonly missedEpochs: number
    /** Between two barriers, as it was most of the time. */
    readonly intervalMs: number
    /** Share of barriers that came after about `intervalMs`: where it is low, calls make the checkpoints, and no setting does. */
    readonly regularShare: number
    /** Of the log: all, of it the blocks of records, and these before compression; of all collections, though one alone be looked at. */
    readonly logBytes: number
    readonly blockBytes: number
    readonly rawBytes: number
    /** As the blocks tell. 'unknown': each is too small to be compressed, or would not shrink, and is stored as it is whatever is set. */
    readonly compression: 'zstd' | 'deflate' | 'none' | 'unknown'
    readonly damage: { readonly file: string; readonly offset: number; readonly message: string } | undefined
    readonly notes: readonly string[]
  }
  /** All collections together. */
  readonly all: CollectionProfile
  /** The most bytes first. */
  readonly collections: readonly CollectionProfile[]
  /** Records and bytes in steps of `stepMs` of covered time. */
  readonly rate: {
    readonly stepMs: number
    readonly recordsPerSecond: readonly number[]
    readonly bytesPerSecond: readonly number[]
  }
  /** `enough`: the history covers at least half of each hour of the day, and no single gap between two epochs is most of it. */
  readonly daily: { readonly enough: boolean; readonly hours: readonly HourOfDay[] }
  /** Stretches under a quarter of the mean rate; the longest ones are listed. */
  readonly lulls: { readonly count: number; readonly timeShare: number; readonly longest: readonly Lull[] }
  /** As it is (factor 1), and with longer intervals, as far as the history tells of them. */
  readonly intervals: readonly IntervalEffect[]
  /** A sample of the newest records of their keys in key order, as segments hold them, really compressed. */
  readonly blocks: readonly BlockMeasurement[]
  readonly recommendations: readonly Recommendation[]
}
