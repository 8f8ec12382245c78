;; Puts the records of one block into the columns of a RecordTable: what `add` in table.ts does, in code that is fast when it runs for the first
;; time. bulk-columns.ts has the other half; after a change here `node scripts/wat.mjs` writes add-block.ts, and a test holds the two against each other.
;; Memory: the block from 0 on, and from $columns on the columns, each of $room: 2 x slots, block, collection, keyStart, keyEnd, hash (32 bits), put
;; (8 bits).
(module
  (import "table" "memory" (memory 1))
  ;; Whether the record at an index, of another block, has the key that stands in this block from start to end.
  (import "table" "same" (func $same (param $index i32) (param $start i32) (param $end i32) (result i32)))
  ;; What is counted of the table. Right before every record, and at $same, which may throw: nothing in the columns goes uncounted.
  (global $records (export "records") (mut i32) (i32.const 0))
  (global $tombstones (export "tombstones") (mut i32) (i32.const 0))
  (global $highestId (export "highestId") (mut i32) (i32.const 0))

  (func $scramble (param $word i32) (result i32)
    (i32.mul (i32.rotl (i32.mul (local.get $word) (i32.const 0xcc9e2d51)) (i32.const 15)) (i32.const 0x1b873593)))

  ;; hashPlace of format/place.ts.
  (func $hash (param $collection i32) (param $at i32) (param $end i32) (result i32)
    (local $hash i32) (local $rest i32) (local $shift i32) (local $length i32)
    (local.set $length (i32.sub (local.get $end) (local.get $at)))
    (local.set $hash (i32.mul (local.get $collection) (i32.const 0x9e3779b1)))
    (block $whole
      (loop $next
        (br_if $whole (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 4)))
        (local.set $hash
          (i32.add
            (i32.mul
              (i32.rotl (i32.xor (local.get $hash) (call $scramble (i32.load align=1 (local.get $at)))) (i32.const 13))
              (i32.const 5))
            (i32.const 0xe6546b64)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $next)))
    (block $through
      (loop $next
        (br_if $through (i32.eq (local.get $at) (local.get $end)))
        (local.set $rest (i32.or (local.get $rest) (i32.shl (i32.load8_u (local.get $at)) (local.get $shift))))
        (local.set $shift (i32.add (local.get $shift) (i32.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (if (local.get $rest) (then (local.set $hash (i32.xor (local.get $hash) (call $scramble (local.get $rest))))))
    (local.set $hash (i32.xor (local.get $hash) (local.get $length)))
    (local.set $hash (i32.mul (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))) (i32.const 0x85ebca6b)))
    (local.set $hash (i32.mul (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 13))) (i32.const 0xc2b2ae35)))
    (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))))

  (func $equal (param $a i32) (param $b i32) (param $length i32) (result i32)
    (block $differs
      (loop $next
        (if (i32.eqz (local.get $length)) (then (return (i32.const 1))))
        (br_if $differs (i32.ne (i32.load8_u (local.get $a)) (i32.load8_u (local.get $b))))
        (local.set $a (i32.add (local.get $a) (i32.const 1)))
        (local.set $b (i32.add (local.get $b) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; Of the record that was parsed last.
  (global $kind (mut i32) (i32.const 0))
  (global $collection (mut i32) (i32.const 0))
  (global $keyStart (mut i32) (i32.const 0))
  (global $keyEnd (mut i32) (i32.const 0))

  ;; Parses the record at $at of a block of $bytes bytes. Gives where the next one begins; 0 where the bytes are no whole record (keys longer than
  ;; $keyBytesMax are none).
  (func $record (param $at i32) (param $bytes i32) (param $keyBytesMax i32) (result i32)
    (local $kind i32) (local $collection i32) (local $byte i32) (local $shift i32) (local $length i32)
    (block $undone
      (local.set $kind (i32.load8_u (local.get $at)))
      (br_if $undone (i32.gt_u (i32.sub (local.get $kind) (i32.const 1)) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (loop $varint
        (br_if $undone (i32.ge_u (local.get $at) (local.get $bytes)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $undone (i32.and (i32.eq (local.get $shift) (i32.const 28)) (i32.gt_u (local.get $byte) (i32.const 15))))
        (local.set $collection
          (i32.or (local.get $collection) (i32.shl (i32.and (local.get $byte) (i32.const 127)) (local.get $shift))))
        (if (i32.ge_u (local.get $byte) (i32.const 128))
          (then
            (local.set $shift (i32.add (local.get $shift) (i32.const 7)))
            (br $varint))))
      (br_if $undone (i32.and (i32.eqz (local.get $byte)) (i32.ne (local.get $shift) (i32.const 0))))
      (br_if $undone (i32.lt_u (i32.sub (local.get $bytes) (local.get $at)) (i32.const 4)))
      (local.set $length (i32.load align=1 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $undone
        (i32.or
          (i32.gt_u (local.get $length) (local.get $keyBytesMax))
          (i32.gt_u (local.get $length) (i32.sub (local.get $bytes) (local.get $at)))))
      (global.set $keyStart (local.get $at))
      (local.set $at (i32.add (local.get $at) (local.get $length)))
      (global.set $keyEnd (local.get $at))
      (global.set $kind (local.get $kind))
      (global.set $collection (local.get $collection))
      (if (i32.eq (local.get $kind) (i32.const 1))
        (then
          (br_if $undone (i32.lt_u (i32.sub (local.get $bytes) (local.get $at)) (i32.const 4)))
          (local.set $length (i32.load align=1 (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br_if $undone (i32.gt_u (local.get $length) (i32.sub (local.get $bytes) (local.get $at))))
          (local.set $at (i32.add (local.get $at) (local.get $length)))))
      (return (local.get $at)))
    (i32.const 0))

  ;; How many records a block of $bytes bytes holds, or -1 where it is not whole records; $highestId is no lower than that of any put in it then.
  (func (export "check") (param $bytes i32) (param $keyBytesMax i32) (result i32)
    (local $at i32) (local $highest i32) (local $count i32)
    (local.set $highest (global.get $highestId))
    (loop $next
      (if (i32.lt_u (local.get $at) (local.get $bytes))
        (then
          (local.set $at (call $record (local.get $at) (local.get $bytes) (local.get $keyBytesMax)))
          (if (i32.eqz (local.get $at)) (then (return (i32.const -1))))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (if (i32.and (i32.eq (global.get $kind) (i32.const 1)) (i32.gt_u (global.get $collection) (local.get $highest)))
            (then (local.set $highest (global.get $collection))))
          (br $next))))
    (global.set $highestId (local.get $highest))
    (local.get $count))

  ;; Block number $number, of $bytes bytes, into a table that has room for all the block can hold. Gives 0 where the bytes are no whole records, or a
  ;; place is not found within $probesMax slots; those before it are in the table.
  (func (export "add")
    (param $bytes i32) (param $number i32) (param $room i32) (param $columns i32) (param $keyBytesMax i32)
    (param $probesMax i32) (result i32)
    (local $at i32) (local $kind i32) (local $collection i32) (local $length i32)
    (local $keyStart i32) (local $keyEnd i32) (local $hash i32) (local $slot i32) (local $stop i32) (local $mask i32) (local $index i32) (local $stride i32)
    (local $blocks i32) (local $collections i32) (local $starts i32) (local $ends i32) (local $hashes i32) (local $puts i32)
    (local.set $stride (i32.shl (local.get $room) (i32.const 2)))
    (local.set $blocks (i32.add (local.get $columns) (i32.shl (local.get $stride) (i32.const 1))))
    (local.set $collections (i32.add (local.get $blocks) (local.get $stride)))
    (local.set $starts (i32.add (local.get $collections) (local.get $stride)))
    (local.set $ends (i32.add (local.get $starts) (local.get $stride)))
    (local.set $hashes (i32.add (local.get $ends) (local.get $stride)))
    (local.set $puts (i32.add (local.get $hashes) (local.get $stride)))
    (local.set $mask (i32.sub (i32.shl (local.get $room) (i32.const 1)) (i32.const 1)))
    (block $undone
      (loop $next
        (if (i32.ge_u (local.get $at) (local.get $bytes)) (then (return (i32.const 1))))
        (local.set $at (call $record (local.get $at) (local.get $bytes) (local.get $keyBytesMax)))
        (br_if $undone (i32.eqz (local.get $at)))
        (local.set $kind (global.get $kind))
        (local.set $collection (global.get $collection))
        (local.set $keyStart (global.get $keyStart))
        (local.set $keyEnd (global.get $keyEnd))
        (local.set $hash (call $hash (local.get $collection) (local.get $keyStart) (local.get $keyEnd)))
        (local.set $slot (i32.and (local.get $hash) (local.get $mask)))
        (local.set $stop (i32.and (i32.add (local.get $hash) (local.get $probesMax)) (local.get $mask)))
        (block $found
          (loop $probe
            (local.set $index
              (i32.sub (i32.load (i32.add (local.get $columns) (i32.shl (local.get $slot) (i32.const 2)))) (i32.const 1)))
            (if (i32.lt_s (local.get $index) (i32.const 0))
              (then
                (local.set $index (global.get $records))
                (global.set $records (i32.add (global.get $records) (i32.const 1)))
                (i32.store (i32.add (local.get $columns) (i32.shl (local.get $slot) (i32.const 2))) (global.get $records))
                (i32.store (i32.add (local.get $hashes) (i32.shl (local.get $index) (i32.const 2))) (local.get $hash))
                (i32.store (i32.add (local.get $collections) (i32.shl (local.get $index) (i32.const 2))) (local.get $collection))
                (br $found)))
            (block $other
              (br_if $other
                (i32.ne (i32.load (i32.add (local.get $hashes) (i32.shl (local.get $index) (i32.const 2)))) (local.get $hash)))
              (br_if $other
                (i32.ne (i32.load (i32.add (local.get $collections) (i32.shl (local.get $index) (i32.const 2)))) (local.get $collection)))
              (if (i32.eq (i32.load (i32.add (local.get $blocks) (i32.shl (local.get $index) (i32.const 2)))) (local.get $number))
                (then
                  (local.set $length (i32.load (i32.add (local.get $starts) (i32.shl (local.get $index) (i32.const 2)))))
                  (br_if $other
                    (i32.ne
                      (i32.sub (i32.load (i32.add (local.get $ends) (i32.shl (local.get $index) (i32.const 2)))) (local.get $length))
                      (i32.sub (local.get $keyEnd) (local.get $keyStart))))
                  (br_if $other
                    (i32.eqz
                      (call $equal
                        (local.get $length) (local.get $keyStart) (i32.sub (local.get $keyEnd) (local.get $keyStart))))))
                (else (br_if $other (i32.eqz (call $same (local.get $index) (local.get $keyStart) (local.get $keyEnd))))))
              (if (i32.eqz (i32.load8_u (i32.add (local.get $puts) (local.get $index))))
                (then (global.set $tombstones (i32.sub (global.get $tombstones) (i32.const 1)))))
              (br $found))
            (local.set $slot (i32.and (i32.add (local.get $slot) (i32.const 1)) (local.get $mask)))
            (br_if $probe (i32.ne (local.get $slot) (local.get $stop))))
          (br $undone))
        (if (i32.eq (local.get $kind) (i32.const 1))
          (then
            (i32.store8 (i32.add (local.get $puts) (local.get $index)) (i32.const 1))
            (if (i32.gt_u (local.get $collection) (global.get $highestId)) (then (global.set $highestId (local.get $collection)))))
          (else
            (i32.store8 (i32.add (local.get $puts) (local.get $index)) (i32.const 0))
            (global.set $tombstones (i32.add (global.get $tombstones) (i32.const 1)))))
        (i32.store (i32.add (local.get $blocks) (i32.shl (local.get $index) (i32.const 2))) (local.get $number))
        (i32.store (i32.add (local.get $starts) (i32.shl (local.get $index) (i32.const 2))) (local.get $keyStart))
        (i32.store (i32.add (local.get $ends) (i32.shl (local.get $index) (i32.const 2))) (local.get $keyEnd))
        (br $next)))
    (i32.const 0)))
