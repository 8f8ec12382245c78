/**
 * Every bound of the engine, each with its reason. A queue, loop, cache, retry or allocation from disk that is not bounded by a
 * constant here (or by a setting whose default is here) is a defect.
 */
const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** UTF-8 bytes of a collection's name: one length byte would do, and the name stands in every catalogue. */
export const COLLECTION_NAME_BYTES_MAX = 255

/** Names that begin so belong to the engine; a caller's collection may not. */
export const RESERVED_NAME_PREFIX = '$'

/** Live collections of a store: every commit carries the whole catalogue, so it has to stay small beside a block. */
export const COLLECTIONS_MAX = 65_536

/** Ids of collections have 32 bits on the disk, and none is given twice: an old record would count for what came later. */
export const COLLECTION_ID_MAX = 0xffff_ffff

/** Bytes of an encoded key: keys stay in memory when values do not, and every index of a block repeats one. */
export const KEY_BYTES_MAX = 64 * KIB

/** Bytes of an encoded value: a record with its key and its frame stays below 1 GiB, the most one read or allocation may ask for. */
export const VALUE_BYTES_MAX = GIB - MIB

/** Elements of an array without holes in a value: reading grows an array by halves, and what V8 takes next beyond 2^27 places ends the process. */
export const VALUE_ELEMENTS_MAX = 67_108_864

/**
 * Entries of a Map, members of a Set, properties of an object and elements of an array with holes in a value: a Map or Set of more throws, and
 * V8's table of properties or of elements by number ends the process at some 22 million.
 */
export const VALUE_MEMBERS_MAX = 16_777_216

/** An array with more holes than elements and this together is made without room for them when it is read: a length takes no more bytes, whatever it is. */
export const HOLES_MAX = 16

/** Depth of values inside values: encoder and decoder recurse, and this many levels are far from the end of the stack. */
export const NESTING_MAX = 1000

/** Every so many levels of nesting a value is looked for among its ancestors: a cycle is named as one, at next to no cost. */
export const CYCLE_CHECK_LEVELS = 32

/** Properties, and bytes of their names, of an object whose list of names is remembered: longer lists seldom come twice. */
export const SHAPE_KEYS_MAX = 32
export const SHAPE_BYTES_MAX = KIB

/** Lists of names remembered for each number of names when writing, and in all when reading: at most 256 of 1 KiB each way. */
export const SHAPES_PER_COUNT_MAX = 8
export const SHAPES_READ_MAX = 256

/** Lists of names of one value that it refers to when they come again: a value of more is of names that seldom do, and a table of them is not memory to give. */
export const SHAPES_IN_VALUE_MAX = 65_536

/** Raw bytes at which a log block is closed: enough to compress well, little enough to read back alone; one record may exceed it. */
export const BLOCK_RAW_BYTES = 64 * KIB

/** A block that is this old is closed early, unless it is smaller: small blocks compress badly, and bytes that leave seldom leave in bursts. */
export const BLOCK_AGE_MS = 40
export const BLOCK_EARLY_BYTES = 8 * KIB

/** Barriers that are only asked for, further apart than this, count as this far apart for the drain. */
export const DRAIN_CADENCE_MS_MAX = 60_000

/** The last round of a checkpoint that somebody waits for is not spread over a longer time. */
export const SPREAD_ASKED_MS_MAX = 1000

/** Raw bytes of one block, and so the largest allocation a length read from disk may cause: a block of one largest record. */
export const BLOCK_RAW_BYTES_MAX = GIB

/** Bytes handed to the writer and not credited back: a slow disk slows the capture down instead of filling the memory. */
export const IN_FLIGHT_BYTES_MAX = 8 * MIB

/** While so much is on its way a cut that is void is not made anew; it is looked at so often. */
export const FULL_LOOK_MS = 25

/** Bytes of pre-images, values kept because they changed between barrier and capture; beyond it the cut is void and moves to when the writer has room. */
export const PRE_IMAGE_BYTES_MAX = 64 * MIB

/** Of what a transaction may have to put back, bytes in one buffer, beyond which there is another: one for all would be copied whole when it grows, in one call. */
export const TRANSACTION_IMAGES_BYTES = 16 * MIB

/**
 * A transaction looks over what codecs wrote while it was looked over, and so on. Whatever the first two rounds came to ends of itself; of what is
 * written behind them so much, and so many times as much as they came to, and one that writes at each call is refused, however many entries each writes.
 */
export const VALIDATIONS_MORE_MAX = 100_000
export const VALIDATIONS_MORE_TIMES = 10

/** Copies of last records, and how many, by which a record that equals the last of its key is seen: an hour of looks costs no more memory than a minute. */
export const REDUNDANT_RING_BYTES = 8 * MIB
export const REDUNDANT_ENTRIES = 65_536

/** Bytes of a record that is still kept for comparing: one that is larger would displace an eighth of the others. */
export const REDUNDANT_RECORD_BYTES_MAX = MIB

/** Least `rpoMs`: a look at the critical collections this often is all that it costs, and a commit takes about as long. */
export const RPO_MS_MIN = 5

/** Intervals that a rebuildable collection may lag behind; where barriers are only asked for, epochs. */
export const LAG_INTERVALS_MAX = 10
export const LAG_EPOCHS_MAX = 10

/** Keys of a collection whose newest value is insignificant and not written; each holds on to an older value. Beyond it all are written. */
export const INSIGNIFICANT_KEYS_MAX = 262_144

/** Entries of one journal or dirty-set piece: pieces are retired whole, and clearing one must not be a pause. */
export const PIECE_ENTRIES_MAX = 16_384

/** Record bytes from which on an entry has a slice of its own: encoding as much takes a good part of a millisecond. So many are remembered. */
export const GIANT_BYTES = 128 * KIB
export const GIANTS_MAX = 1024

/** Keys that an iterator gave last and remembers, for a rollback that puts some of them back: a batch, at a cost of 8 KiB. */
export const ITERATOR_KEYS_KEPT = 1024

/** Places of a V8 Map, those of deleted entries included: at the next one it throws. Beyond it a collection is a chain of Maps. */
export const MAP_ENTRIES_MAX = 16_777_216

/** Cuts of one checkpoint that may be void by what the service did to its values, and move to now; after that the rest is captured in one slice and reported. */
export const VOIDS_MAX = 3

/** Bytes of one log file before the writer rolls to the next: bounds what one scan, copy or deletion has to move. */
export const LOG_FILE_BYTES_MAX = 64 * MIB

/**
 * Log files that are kept for fold points kept for a time: a manifest names all of them, 150 bytes each, and processes that end by the minute leave one
 * each. So many are 45 days of these, or 4 TiB of full ones.
 */
export const LOG_FILES_KEPT_MAX = 65_536

/** Log files one manifest may name: bounds the manifest read at open. */
export const LOG_FILES_MAX = 1_048_576

/**
 * Bytes of a key that a manifest names: it is written for each fold, merge and roll, and names three places for each segment of the base. Keys of
 * services that have tenant, kind and id in them stand whole.
 */
export const MANIFEST_KEY_BYTES_MAX = 128

/**
 * Segments one manifest may name: a base of so many takes 80 MB of the manifest. Where neighbouring keys have kilobytes in common MANIFEST_BYTES_MAX is
 * met earlier (RFC 0006, Known).
 */
export const SEGMENTS_MAX = 65_536

/**
 * Segments of a base that grows: of one that is larger than so many of BASE_SEGMENT_BYTES each holds such a part. The rest of SEGMENTS_MAX is for
 * those that are full of records or blocks before, for what a round has not come to, and for young ones.
 */
export const BASE_SEGMENTS = SEGMENTS_MAX / 4

/** Numbers of manifests, and tokens of writers, have eight hex digits in the names of files: at one a second the first last 136 years. */
export const MANIFEST_NUMBER_MAX = 0xffff_ffff

/** A manifest that does not verify and is so far above the newest that does is no successor of it: behind it there would be few numbers, and tokens, left. */
export const MANIFEST_NUMBERS_AHEAD_MAX = 2 ** 30

/** Earlier manifests one manifest may keep, which bounds the manifest as well. */
export const MANIFESTS_MAX = 65_536

/** Of them so many may be asked for by their number, with room for those that are kept for a time. */
export const KEEP_LAST_MAX = MANIFESTS_MAX / 2

/** Of them those that are kept for a time, not for their number: one a minute for a day, one an hour for a month, one a day for sixteen years. */
export const RETAINED_POINTS_MAX = 8192

/** Newest recovery points that are listed one by one, an hour of those that come each 50 ms: an entry takes some 200 bytes. Before them fold points are. */
export const POINTS_LISTED_MAX = 65_536

/** Forks of one history, each from a later epoch than the one before: what goes back further takes the place of those; each is an operator's act. */
export const LINEAGE_MAX = 65_536

/**
 * Raw bytes at which a block of a segment is closed. One of 16 KiB takes twice as long to decode as one of 7, which costs 8 % more stored bytes (RFC
 * 0006).
 */
export const SEGMENT_BLOCK_RAW_BYTES = 7 * KIB

/** Raw bytes of a block of a segment beyond which it holds one record, whoever wrote it: builds before 0.1.0 closed one at so many. */
export const SEGMENT_BLOCK_RAW_BYTES_MAX = 16 * KIB

/**
 * Raw bytes of the largest zstd frame that our own decoder is asked for before another one that is there: blocks of segments and of the log, which
 * end behind 64 KiB, in about half of the addon's time; at 128 KiB it depends on what they hold which is faster (RFC 0006).
 */
export const ZSTD_OWN_RAW_BYTES_MAX = 80 * KIB

/**
 * Stored bytes at which a base segment is closed, and a merge of young ones stops growing: filter and index stay below 1 MiB. A base beyond
 * BASE_SEGMENTS of these (256 GiB) has larger ones, up to the second number: with one more record of any size a file has room for it.
 */
export const BASE_SEGMENT_BYTES = 16 * MIB
export const BASE_SEGMENT_BYTES_MAX = 512 * MIB
export const YOUNG_SEGMENT_BYTES_MAX = 32 * MIB

/** Bounds of one segment file: its filter is built in memory, its offsets have four bytes; beside them one record of any size. */
export const SEGMENT_RECORDS_MAX = 1_048_576
export const SEGMENT_BLOCKS_MAX = 65_536
export const SEGMENT_STORED_BYTES_MAX = 2 * GIB

/** Bytes of a segment's index at which it is closed, and of any part of its description: beyond that a length is damage, not a reason to allocate. */
export const SEGMENT_INDEX_BYTES_MAX = 16 * MIB
export const SEGMENT_DESCRIPTION_BYTES_MAX = 64 * MIB

/** Complete blocks a segment's writer lets wait, appended and not synced bytes beyond which it syncs, and what it reads back at once. */
export const SEGMENT_FLUSH_BYTES = 256 * KIB
export const SEGMENT_SYNC_BYTES = 256 * KIB
export const SEGMENT_READ_BACK_BYTES = 256 * KIB

/** What describes a segment goes out in appends of this size: in one it would be most of a second's writing. */
export const SEGMENT_APPEND_BYTES = 8 * KIB

/**
 * The log is synced early, so that the sync of a commit has little left to do: when so many bytes wait for it or the oldest for so long, unless
 * syncs are slow (they take no more than one part in EARLY_SYNC_SHARE of the time); beyond the larger number of bytes always.
 */
export const EARLY_SYNC_BYTES = 256 * KIB
export const EARLY_SYNC_BYTES_MAX = MIB
export const EARLY_SYNC_MS = 250
export const EARLY_SYNC_SHARE = 8

/** Raw bytes of blocks that cold look-ups keep for the next ones: 146 blocks, for keys asked for together often lie together. */
export const SEGMENT_CACHE_BYTES = MIB

/** Stored bytes that a merge reads ahead in each segment: a slice of a millisecond gets through far less. */
export const SEGMENT_AHEAD_BYTES = 512 * KIB

/** Raw bytes and records behind the fold point at which they are folded: with as much again meanwhile, what a restart has to read. */
export const TABLE_RAW_BYTES = 2 * MIB
export const TABLE_RECORDS = 24_576

/**
 * Bytes of the log behind the fold point at which they are folded, however little of them is records; what an epoch and a file count for beside their
 * bytes, for a restart verifies the one and opens the other. So a restart reads 4,000 epochs without a record at most, or 128 files.
 */
export const TABLE_LOG_BYTES = 4 * MIB
export const LOG_EPOCH_COST = KIB
export const LOG_FILE_COST = 32 * KIB

/** Raw bytes and records of a table, when a long log or a large epoch is folded: fewer and larger segments, and all that folding holds. */
export const FOLD_TABLE_BYTES = 16 * MIB
export const FOLD_TABLE_RECORDS = 131_072

/** Least ceiling on what is written: below it one block of the log would take more than a second. */
export const IO_BYTES_PER_SECOND_MIN = 64 * KIB

/** Newest manifests that stay: the way back when the newest is damaged, and a reader's time before the one that it took is gone. */
export const MANIFESTS_KEPT = 16

/** Times a reader begins again when the store moved on under it: each needs a writer that gave files back since the one before. */
export const READ_ATTEMPTS_MAX = 5

/** Bytes of one manifest: a length in its header beyond this is damage, not a reason to allocate. */
export const MANIFEST_BYTES_MAX = 256 * MIB

/** Of these folds and merges leave so many for what must go on without them: some 6,000 files of the log. */
export const MANIFEST_ROOM_BYTES = MIB

/** Bytes asked for in one read of a scan: large enough to be sequential, small enough to leave the page cache alone. */
export const SCAN_READ_BYTES = MIB

/** Bytes that hydration reads at once: large enough to be sequential, and small beside what it keeps. */
export const HYDRATION_READ_BYTES = MIB

/** Raw bytes that are unpacked by another thread and handed over at once, and one block more: what a turn there copies, in a millisecond or two. */
export const HYDRATION_RAW_BYTES = 4 * MIB

/**
 * Stored bytes that are not worth the way to another thread and back, and a block that is too large for it, raw: its checksum and its decoding take
 * that thread's turn, for which a commit would wait. No answer in so long, as while a sync hangs, and it is done without.
 */
export const HYDRATION_AWAY_BYTES_MIN = 64 * KIB
export const HYDRATION_AWAY_RAW_MAX = 32 * MIB
export const HYDRATION_AWAY_MS_MAX = 250

/** Busier than this, the event loop is left to the service; but after so long hydration goes on, a piece of HYDRATION_READ_BYTES at a time. */
export const HYDRATION_LOAD_MAX = 0.9
export const HYDRATION_WAIT_MS_MAX = 5000

/** Look-ups of cold entries during one piece beyond which the loop is busy for want of hydration: each costs what a whole block costs it. */
export const HYDRATION_URGENT_READS = 16

/**
 * Places of the last run that a store keeps for the order of hydration, and bytes of each one's key: enough to tell hot blocks from others, and
 * a file of some 20 KiB. It is written after so many new notes at the earliest, and once in so long; a window of notes so large is opened at a commit.
 */
export const ORDER_PLACES_MAX = 1024
export const ORDER_KEY_BYTES_MAX = 48
export const ORDER_WRITE_NOTES = 256
export const ORDER_WRITE_MS = 60_000
export const ORDER_WINDOW = 64

/** Blocks that hydration brings home in the order of the last run before it looks again which lie together, and bytes read in vain between two. */
export const HYDRATION_FIRST_BLOCKS = 64
export const HYDRATION_GAP_BYTES = 64 * KIB

/** Live entries one step of an eviction looks at, at most: a millisecond or less. */
export const EVICTION_VISITS_MAX = 1024

/** What a copy of a store holds of a file, and what it writes between two syncs: a sync of much is a burst for everybody else. */
export const COPY_BYTES = MIB
export const COPY_SYNC_BYTES = 8 * MIB

/** Keys that a profile follows in all collections together (a row of 21 numbers each), and keys beside them that it holds in each (twice as many rows). */
export const PROFILE_KEYS_MAX = 131_072
export const PROFILE_HELD_KEYS_MAX = 4096

/** Collections that a profile counts by themselves, each with its own distributions and held keys; the others are counted together. */
export const PROFILE_COLLECTIONS_MAX = 32

/** Between two looks of the scheduler while something is to be written, the longest also while nothing is: a look costs microseconds, and what is missed between two is little. */
export const LOOK_MS_MIN = 20
export const LOOK_MS_MAX = 1000

/** Timers of a loop that is merely busy come so late; beyond that it stood still, and what came meanwhile is behind its timers. */
export const LOOP_LATE_MS = 20

/** Decisions of the scheduler kept in memory and in its file; like ones in a row take one place. */
export const DECISIONS_KEPT = 256

/** Bytes of the scheduler's file: all it may hold takes a quarter of it. */
export const SCHEDULE_BYTES_MAX = 256 * KIB

/** The scheduler's file is written at most so often; what it loses in a crash is learned again. */
export const SCHEDULE_SAVE_MS = 60_000

/** Times beyond it no Date holds, and none is stored: what is read is shown as one. */
export const TIME_MS_MAX = 8_640_000_000_000_000

/** Longest delay a timer takes: Node.js turns a longer one into 1 ms. */
export const TIMER_MS_MAX = 2_147_483_647

/**
 * A journal may list so many keys more than twice the entries; beyond it the whole collection counts as dirty. Beyond as many, arrivals are
 * forgotten: the next barrier finds in `fresh` what is left of them. Of a store with one collection; several share it, and have
 * JOURNAL_SLACK_KEYS_MIN each at least.
 */
export const JOURNAL_SLACK_KEYS = 524_288
export const JOURNAL_SLACK_KEYS_MIN = 65_536
