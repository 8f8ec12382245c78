;; Decodes small zstd frames (RFC 8878): the first part of the module, its memory and the tables of both entropy codings. zstd-streams.wat and
;; zstd-block.wat are the others, zstd-block.ts is what calls them; after a change `node scripts/wat.mjs` writes zstd-block-code.ts.
;;
;; Memory, fixed:
;;   0x0000  what each code means, eight bytes each as in a cell below but for the state: 36 of literal lengths, 0x0140 32 of offsets, 0x0240 53 of
;;           match lengths, 0x0400 12 of weights
;;   0x0480  bits beside a code of literal lengths, 0x04c0 of match lengths; 0x0500, 0x0540, 0x0580 the predefined counts
;;   0x0640  counts of the table that is made, 2 bytes each; 0x06c0 how many states of a symbol were given
;;   0x0740  places of the weights, 4 bytes each, 0x0780 the half of their counts; 0x0800 symbols of the states; 0x0a00 weights; 0x0c00 their table
;;   0x0e00  how to spread the last 1..15 bytes over 16, 16 bytes each; 0x0f00 how many of these are whole repetitions
;;   0x1000  predefined tables: literal lengths, 0x1200 match lengths, 0x1400 offsets; 0x2000, 0x3000, 0x4000 those of a frame
;;   0x5000  the Huffman table: for any next 11 bits the bits a symbol takes and, above them, the symbol, 2 bytes
;;   0x10000 literals, 0x31000 the stored frame, 0x52000 what it gives; all with room behind, for copies are of 16 bytes each
;; A cell, that is a state of an FSE table: 1 byte bits beside the code, 1 byte bits of the next state, 2 bytes where its cells begin, 4 bytes the value.
;; Backward streams: $used counts bits from the end on. Reads below a stream's begin find other bytes of this memory, and are found out at its end.
(module
  (memory (export "memory") 8 8)
  (data (i32.const 0x0480) "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\01\01\01\02\02\03\03\04\06\07\08\09\0a\0b\0c\0d\0e\0f\10")
  (data (i32.const 0x04c0)
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\01\01\01\01\02\02\03\03\04\04\05\07\08\09\0a\0b\0c\0d\0e\0f\10")
  (data (i32.const 0x0500) "\04\03\02\02\02\02\02\02\02\02\02\02\02\01\01\01\02\02\02\02\02\02\02\02\02\03\02\01\01\01\01\01\ff\ff\ff\ff")
  (data (i32.const 0x0540) "\01\01\01\01\01\01\02\02\02\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\ff\ff\ff\ff\ff")
  (data (i32.const 0x0580)
    "\01\04\03\02\02\02\02\02\02\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01\01"
    "\01\01\01\01\01\01\01\01\01\01\01\01\01\01\ff\ff\ff\ff\ff\ff\ff")

  ;; Whether the frame had a Huffman tree yet.
  (global $hasTree (mut i32) (i32.const 0))
  ;; Of the counts that were read last.
  (global $log (mut i32) (i32.const 0))
  (global $symbols (mut i32) (i32.const 0))

  ;; Codes whose values follow one another, each code as many as its bits tell apart.
  (func $codes (param $to i32) (param $bits i32) (param $end i32) (param $value i32)
    (local $more i32)
    (loop $next
      (local.set $more (i32.load8_u (local.get $bits)))
      (i64.store (local.get $to) (i64.or (i64.shl (i64.extend_i32_u (local.get $value)) (i64.const 32)) (i64.extend_i32_u (local.get $more))))
      (local.set $value (i32.add (local.get $value) (i32.shl (i32.const 1) (local.get $more))))
      (local.set $to (i32.add (local.get $to) (i32.const 8)))
      (br_if $next (i32.lt_u (local.tee $bits (i32.add (local.get $bits) (i32.const 1))) (local.get $end)))))

  (func $predefine (param $counts i32) (param $symbols i32) (param $log i32) (param $table i32) (param $codes i32)
    (local $symbol i32)
    (loop $next
      (i32.store16 offset=0x0640
        (i32.shl (local.get $symbol) (i32.const 1)) (i32.load8_s (i32.add (local.get $counts) (local.get $symbol))))
      (br_if $next (i32.lt_u (local.tee $symbol (i32.add (local.get $symbol) (i32.const 1))) (local.get $symbols))))
    (global.set $symbols (local.get $symbols))
    (global.set $log (local.get $log))
    (call $build (local.get $table) (local.get $codes)))

  (func $start
    (local $code i32) (local $at i32)
    (call $codes (i32.const 0x0000) (i32.const 0x0480) (i32.const 0x04a4) (i32.const 0))
    (call $codes (i32.const 0x0240) (i32.const 0x04c0) (i32.const 0x04f5) (i32.const 3))
    ;; Offsets from code 2 on are less by three than the value read; codes 0 and 1 name earlier ones.
    (loop $next
      (i64.store offset=0x0140
        (i32.shl (local.get $code) (i32.const 3))
        (i64.or
          (i64.shl
            (i64.extend_i32_u
              (select
                (i32.sub (i32.shl (i32.const 1) (local.get $code)) (i32.const 3))
                (local.get $code)
                (i32.gt_u (local.get $code) (i32.const 1))))
            (i64.const 32))
          (i64.extend_i32_u (local.get $code))))
      (br_if $next (i32.lt_u (local.tee $code (i32.add (local.get $code) (i32.const 1))) (i32.const 32))))
    (local.set $code (i32.const 0))
    (loop $next
      (i64.store offset=0x0400 (i32.shl (local.get $code) (i32.const 3)) (i64.shl (i64.extend_i32_u (local.get $code)) (i64.const 32)))
      (br_if $next (i32.lt_u (local.tee $code (i32.add (local.get $code) (i32.const 1))) (i32.const 12))))
    (local.set $code (i32.const 1))
    (loop $next
      (local.set $at (i32.const 0))
      (loop $byte
        (i32.store8 offset=0x0e00
          (i32.add (i32.shl (local.get $code) (i32.const 4)) (local.get $at)) (i32.rem_u (local.get $at) (local.get $code)))
        (br_if $byte (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 16))))
      (i32.store8 offset=0x0f00 (local.get $code) (i32.sub (i32.const 16) (i32.rem_u (i32.const 16) (local.get $code))))
      (br_if $next (i32.lt_u (local.tee $code (i32.add (local.get $code) (i32.const 1))) (i32.const 16))))
    (call $predefine (i32.const 0x0500) (i32.const 36) (i32.const 6) (i32.const 0x1000) (i32.const 0x0000))
    (call $predefine (i32.const 0x0540) (i32.const 29) (i32.const 5) (i32.const 0x1400) (i32.const 0x0140))
    (call $predefine (i32.const 0x0580) (i32.const 53) (i32.const 6) (i32.const 0x1200) (i32.const 0x0240)))
  (start $start)

  ;; Reads the counts of an FSE table (4.1.1), a stream that is read forwards. Gives where it ends; 0 where it is damaged.
  (func $counts (param $at i32) (param $end i32) (param $logMax i32) (param $symbolsMax i32) (result i32)
    (local $bit i32) (local $left i32) (local $symbol i32) (local $width i32) (local $bits i32) (local $mask i32) (local $short i32) (local $value i32)
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
    (global.set $log (i32.add (i32.and (i32.load8_u (local.get $at)) (i32.const 15)) (i32.const 5)))
    (if (i32.gt_u (global.get $log) (local.get $logMax)) (then (return (i32.const 0))))
    (local.set $left (i32.shl (i32.const 1) (global.get $log)))
    (local.set $bit (i32.add (i32.shl (local.get $at) (i32.const 3)) (i32.const 4)))
    (loop $next
      (if (i32.ge_u (local.get $symbol) (local.get $symbolsMax)) (then (return (i32.const 0))))
      ;; Numbers up to $left + 1; the smallest of them take a bit less.
      (local.set $width (i32.sub (i32.const 31) (i32.clz (i32.add (local.get $left) (i32.const 1)))))
      (local.set $mask (i32.sub (i32.shl (i32.const 1) (local.get $width)) (i32.const 1)))
      (local.set $short (i32.sub (i32.shl (local.get $mask) (i32.const 1)) (local.get $left)))
      (local.set $bits
        (i32.shr_u (i32.load align=1 (i32.shr_u (local.get $bit) (i32.const 3))) (i32.and (local.get $bit) (i32.const 7))))
      (local.set $value (i32.and (local.get $bits) (local.get $mask)))
      (local.set $bit (i32.add (local.get $bit) (local.get $width)))
      (if (i32.ge_u (local.get $value) (local.get $short))
        (then
          (local.set $bit (i32.add (local.get $bit) (i32.const 1)))
          (if (i32.and (i32.shr_u (local.get $bits) (local.get $width)) (i32.const 1))
            (then
              (local.set $value (i32.sub (i32.add (i32.add (local.get $value) (local.get $mask)) (i32.const 1)) (local.get $short)))))))
      ;; One less than was read: -1 is a symbol with one state, and few bits to spare.
      (local.set $value (i32.sub (local.get $value) (i32.const 1)))
      (i32.store16 offset=0x0640 (i32.shl (local.get $symbol) (i32.const 1)) (local.get $value))
      (local.set $symbol (i32.add (local.get $symbol) (i32.const 1)))
      (if (local.get $value)
        (then
          (local.set $left
            (i32.sub (local.get $left) (select (local.get $value) (i32.const 1) (i32.gt_s (local.get $value) (i32.const 0))))))
        (else
          ;; How many more have none, by threes.
          (loop $more
            (local.set $value
              (i32.and
                (i32.shr_u (i32.load align=1 (i32.shr_u (local.get $bit) (i32.const 3))) (i32.and (local.get $bit) (i32.const 7)))
                (i32.const 3)))
            (local.set $bit (i32.add (local.get $bit) (i32.const 2)))
            (i64.store offset=0x0640 align=1 (i32.shl (local.get $symbol) (i32.const 1)) (i64.const 0))
            (local.set $symbol (i32.add (local.get $symbol) (local.get $value)))
            (if (i32.gt_u (local.get $symbol) (local.get $symbolsMax)) (then (return (i32.const 0))))
            (br_if $more (i32.eq (local.get $value) (i32.const 3))))))
      (br_if $next (local.get $left)))
    (global.set $symbols (local.get $symbol))
    (local.set $at (i32.shr_u (i32.add (local.get $bit) (i32.const 7)) (i32.const 3)))
    (select (local.get $at) (i32.const 0) (i32.le_u (local.get $at) (local.get $end))))

  ;; The table of the counts that were read last (4.1.1, "from normalized distribution to decoding tables").
  (func $build (param $table i32) (param $codes i32)
    (local $symbol i32) (local $count i32) (local $log i32) (local $mask i32) (local $step i32) (local $high i32) (local $at i32) (local $bits i32)
    (local $twice i32)
    (local.set $log (global.get $log))
    (local.set $mask (i32.sub (i32.shl (i32.const 1) (local.get $log)) (i32.const 1)))
    (local.set $step
      (i32.add (i32.add (i32.shr_u (local.get $mask) (i32.const 1)) (i32.shr_u (local.get $mask) (i32.const 3))) (i32.const 5)))
    (local.set $high (local.get $mask))
    (local.set $twice (i32.shl (global.get $symbols) (i32.const 1)))
    (loop $next
      (local.set $count (i32.load16_s offset=0x0640 (local.get $symbol)))
      (if (i32.lt_s (local.get $count) (i32.const 0))
        (then
          (i32.store8 offset=0x0800 (local.get $high) (i32.shr_u (local.get $symbol) (i32.const 1)))
          (local.set $high (i32.sub (local.get $high) (i32.const 1)))
          (local.set $count (i32.const 1))))
      (i32.store16 offset=0x06c0 (local.get $symbol) (local.get $count))
      (br_if $next (i32.lt_u (local.tee $symbol (i32.add (local.get $symbol) (i32.const 2))) (local.get $twice))))
    (local.set $symbol (i32.const 0))
    (loop $next
      (local.set $count (i32.load16_s offset=0x0640 (local.get $symbol)))
      (if (i32.gt_s (local.get $count) (i32.const 0))
        (then
          (loop $state
            (i32.store8 offset=0x0800 (local.get $at) (i32.shr_u (local.get $symbol) (i32.const 1)))
            (loop $taken
              (local.set $at (i32.and (i32.add (local.get $at) (local.get $step)) (local.get $mask)))
              (br_if $taken (i32.gt_u (local.get $at) (local.get $high))))
            (br_if $state (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))
      (br_if $next (i32.lt_u (local.tee $symbol (i32.add (local.get $symbol) (i32.const 2))) (local.get $twice))))
    (local.set $at (i32.const 0))
    (loop $state
      (local.set $symbol (i32.load8_u offset=0x0800 (local.get $at)))
      (local.set $count (i32.load16_u offset=0x06c0 (i32.shl (local.get $symbol) (i32.const 1))))
      (i32.store16 offset=0x06c0 (i32.shl (local.get $symbol) (i32.const 1)) (i32.add (local.get $count) (i32.const 1)))
      (local.set $bits (i32.sub (i32.add (local.get $log) (i32.clz (local.get $count))) (i32.const 31)))
      (i64.store
        (i32.add (local.get $table) (i32.shl (local.get $at) (i32.const 3)))
        (i64.or
          (i64.load (i32.add (local.get $codes) (i32.shl (local.get $symbol) (i32.const 3))))
          (i64.extend_i32_u
            (i32.or
              (i32.shl (local.get $bits) (i32.const 8))
              (i32.shl
                (i32.add
                  (local.get $table)
                  (i32.shl (i32.sub (i32.sub (i32.shl (local.get $count) (local.get $bits)) (local.get $mask)) (i32.const 1)) (i32.const 3)))
                (i32.const 16))))))
      (br_if $state (i32.le_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $mask)))))

  ;; Weights that are FSE-coded (4.2.1.2), by two states in turn. Gives how many; 0 where they are damaged.
  (func $packedWeights (param $at i32) (param $end i32) (result i32)
    (local $total i32) (local $used i32) (local $bits i64) (local $one i32) (local $other i32) (local $cell i64) (local $count i32) (local $log i32)
    (local.set $at (call $counts (local.get $at) (local.get $end) (i32.const 6) (i32.const 12)))
    (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
    (call $build (i32.const 0x0c00) (i32.const 0x0400))
    (local.set $total (i32.shl (i32.sub (local.get $end) (local.get $at)) (i32.const 3)))
    (local.set $end (i32.sub (local.get $end) (i32.const 8)))
    (local.set $bits (i64.load align=1 (local.get $end)))
    (local.set $used (i32.add (i32.wrap_i64 (i64.clz (local.get $bits))) (i32.const 1)))
    (if (i32.gt_u (local.get $used) (i32.const 8)) (then (return (i32.const 0))))
    (local.set $log (global.get $log))
    (local.set $bits (i64.shl (local.get $bits) (i64.extend_i32_u (local.get $used))))
    (local.set $one
      (i32.shl
        (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.extend_i32_u (i32.sub (i32.const 64) (local.get $log)))))
        (i32.const 3)))
    (local.set $bits (i64.shl (local.get $bits) (i64.extend_i32_u (local.get $log))))
    (local.set $other
      (i32.shl
        (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.extend_i32_u (i32.sub (i32.const 64) (local.get $log)))))
        (i32.const 3)))
    (local.set $one (i32.add (local.get $one) (i32.const 0x0c00)))
    (local.set $other (i32.add (local.get $other) (i32.const 0x0c00)))
    (local.set $used (i32.add (local.get $used) (i32.shl (local.get $log) (i32.const 1))))
    (if (i32.gt_u (local.get $used) (local.get $total)) (then (return (i32.const 0))))
    (block $ended
      (loop $next
        (if (i32.ge_u (local.get $count) (i32.const 254)) (then (return (i32.const 0))))
        ;; Eight of them take 48 bits at most.
        (if (i32.eqz (i32.and (local.get $count) (i32.const 6)))
          (then
            (local.set $bits
              (i64.shl
                (i64.load align=1 (i32.sub (local.get $end) (i32.shr_u (local.get $used) (i32.const 3))))
                (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))))
        (local.set $cell (i64.load (local.get $one)))
        (i64.store8 offset=0x0a00 (local.get $count) (i64.shr_u (local.get $cell) (i64.const 32)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $used (i32.add (local.get $used) (i32.and (i32.shr_u (i32.wrap_i64 (local.get $cell)) (i32.const 8)) (i32.const 0xff))))
        (if (i32.gt_u (local.get $used) (local.get $total))
          (then
            (local.set $one (local.get $other))
            (br $ended)))
        (local.set $one
          (i32.add
            (i32.shr_u (i32.wrap_i64 (local.get $cell)) (i32.const 16))
            (i32.shl
              (i32.wrap_i64
                (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (i64.shr_u (local.get $cell) (i64.const 8)) (i64.const -1))))
              (i32.const 3))))
        (local.set $bits (i64.shl (local.get $bits) (i64.shr_u (local.get $cell) (i64.const 8))))
        (local.set $cell (i64.load (local.get $other)))
        (i64.store8 offset=0x0a00 (local.get $count) (i64.shr_u (local.get $cell) (i64.const 32)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $used (i32.add (local.get $used) (i32.and (i32.shr_u (i32.wrap_i64 (local.get $cell)) (i32.const 8)) (i32.const 0xff))))
        (br_if $ended (i32.gt_u (local.get $used) (local.get $total)))
        (local.set $other
          (i32.add
            (i32.shr_u (i32.wrap_i64 (local.get $cell)) (i32.const 16))
            (i32.shl
              (i32.wrap_i64
                (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (i64.shr_u (local.get $cell) (i64.const 8)) (i64.const -1))))
              (i32.const 3))))
        (local.set $bits (i64.shl (local.get $bits) (i64.shr_u (local.get $cell) (i64.const 8))))
        (br $next)))
    ;; The bits do not reach for another state: the one that is left gives the last.
    (i64.store8 offset=0x0a00 (local.get $count) (i64.shr_u (i64.load (local.get $one)) (i64.const 32)))
    (i32.add (local.get $count) (i32.const 1)))

  ;; Weights of four bits each (4.2.1.1).
  (func $plainWeights (param $at i32) (param $count i32)
    (local $byte i32) (local $symbol i32)
    (loop $next
      (local.set $byte (i32.load8_u (local.get $at)))
      (i32.store8 offset=0x0a00 (local.get $symbol) (i32.shr_u (local.get $byte) (i32.const 4)))
      (i32.store8 offset=0x0a01 (local.get $symbol) (i32.and (local.get $byte) (i32.const 15)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.tee $symbol (i32.add (local.get $symbol) (i32.const 2))) (local.get $count)))))

  ;; Reads a Huffman tree (4.2.1) and makes its table. Gives where it ends; 0 where it is damaged.
  (func $tree (param $at i32) (param $end i32) (result i32)
    (local $count i32) (local $symbol i32) (local $weight i32) (local $sum i32) (local $log i32) (local $place i32) (local $bytes i32) (local $to i32)
    (local $cells v128)
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
    (local.set $bytes (i32.load8_u (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (if (i32.lt_u (local.get $bytes) (i32.const 128))
      (then
        (local.set $place (i32.add (local.get $at) (local.get $bytes)))
        (if (i32.gt_u (local.get $place) (local.get $end)) (then (return (i32.const 0))))
        (local.set $count (call $packedWeights (local.get $at) (local.get $place))))
      (else
        (local.set $count (i32.sub (local.get $bytes) (i32.const 127)))
        (local.set $place (i32.add (local.get $at) (i32.shr_u (i32.add (local.get $count) (i32.const 1)) (i32.const 1))))
        (if (i32.gt_u (local.get $place) (local.get $end)) (then (return (i32.const 0))))
        (call $plainWeights (local.get $at) (local.get $count))))
    (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
    (local.set $at (local.get $place))
    ;; How many there are of each weight, of every second symbol apart: one count behind the other would wait for it.
    (i64.store8 offset=0x0a00 (local.get $count) (i64.const 0))
    (loop $next
      (v128.store offset=0x0740 (local.get $to) (v128.const i64x2 0 0))
      (br_if $next (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 16))) (i32.const 128))))
    (loop $next
      (local.set $weight (i32.shl (i32.load8_u offset=0x0a00 (local.get $symbol)) (i32.const 2)))
      (i32.store offset=0x0740 (local.get $weight) (i32.add (i32.load offset=0x0740 (local.get $weight)) (i32.const 1)))
      (local.set $weight (i32.shl (i32.load8_u offset=0x0a01 (local.get $symbol)) (i32.const 2)))
      (i32.store offset=0x0780 (local.get $weight) (i32.add (i32.load offset=0x0780 (local.get $weight)) (i32.const 1)))
      (br_if $next (i32.lt_u (local.tee $symbol (i32.add (local.get $symbol) (i32.const 2))) (local.get $count))))
    (local.set $weight (i32.const 60))
    (loop $next
      (local.set $place (i32.add (i32.load offset=0x0740 (local.get $weight)) (i32.load offset=0x0780 (local.get $weight))))
      (i32.store offset=0x0740 (local.get $weight) (local.get $place))
      (if (i32.and (i32.gt_u (local.get $weight) (i32.const 44)) (i32.ne (local.get $place) (i32.const 0))) (then (return (i32.const 0))))
      (local.set $sum (i32.add (i32.shl (local.get $sum) (i32.const 1)) (local.get $place)))
      (br_if $next (local.tee $weight (i32.sub (local.get $weight) (i32.const 4)))))
    (if (i32.eqz (local.get $sum)) (then (return (i32.const 0))))
    ;; The last weight is what makes the sum the next power of two.
    (local.set $log (i32.sub (i32.const 32) (i32.clz (local.get $sum))))
    (if (i32.gt_u (local.get $log) (i32.const 11)) (then (return (i32.const 0))))
    (local.set $sum (i32.sub (i32.shl (i32.const 1) (local.get $log)) (local.get $sum)))
    (if (i32.ne (i32.popcnt (local.get $sum)) (i32.const 1)) (then (return (i32.const 0))))
    (local.set $weight (i32.add (i32.ctz (local.get $sum)) (i32.const 1)))
    (i32.store8 offset=0x0a00 (local.get $count) (local.get $weight))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (local.set $weight (i32.shl (local.get $weight) (i32.const 2)))
    (i32.store offset=0x0740 (local.get $weight) (i32.add (i32.load offset=0x0740 (local.get $weight)) (i32.const 1)))
    ;; The longest codes come in pairs; without any the tree would say less than it has room for.
    (if (i32.lt_u (i32.load offset=0x0744 (i32.const 0)) (i32.const 2)) (then (return (i32.const 0))))
    ;; From how many there are of each weight to where they begin, the lightest first.
    (local.set $to (i32.const 0x5000))
    (local.set $weight (i32.const 1))
    (local.set $bytes (i32.shl (i32.const 2) (i32.sub (i32.const 11) (local.get $log))))
    (loop $next
      (local.set $place (i32.load offset=0x0740 (i32.shl (local.get $weight) (i32.const 2))))
      (i32.store offset=0x0740 (i32.shl (local.get $weight) (i32.const 2)) (local.get $to))
      (local.set $to (i32.add (local.get $to) (i32.mul (local.get $place) (local.get $bytes))))
      (local.set $bytes (i32.shl (local.get $bytes) (i32.const 1)))
      (br_if $next (i32.le_u (local.tee $weight (i32.add (local.get $weight) (i32.const 1))) (local.get $log))))
    (local.set $symbol (i32.const 0))
    (loop $next
      (local.set $weight (i32.load8_u offset=0x0a00 (local.get $symbol)))
      (if (local.get $weight)
        (then
          (local.set $place (i32.load offset=0x0740 (i32.shl (local.get $weight) (i32.const 2))))
          (local.set $bytes (i32.shl (i32.const 1) (i32.sub (i32.add (local.get $weight) (i32.const 11)) (local.get $log))))
          (local.set $to (i32.add (local.get $place) (local.get $bytes)))
          (i32.store offset=0x0740 (i32.shl (local.get $weight) (i32.const 2)) (local.get $to))
          (local.set $cells
            (i16x8.splat
              (i32.or
                (i32.sub (i32.add (local.get $log) (i32.const 1)) (local.get $weight)) (i32.shl (local.get $symbol) (i32.const 8)))))
          (if (i32.ge_u (local.get $bytes) (i32.const 16))
            (then
              (loop $fill
                (v128.store align=1 (local.get $place) (local.get $cells))
                (br_if $fill (i32.lt_u (local.tee $place (i32.add (local.get $place) (i32.const 16))) (local.get $to)))))
            (else
              (if (i32.eq (local.get $bytes) (i32.const 2))
                (then (i32.store16 (local.get $place) (i32x4.extract_lane 0 (local.get $cells))))
                (else
                  (if (i32.eq (local.get $bytes) (i32.const 4))
                    (then (i32.store (local.get $place) (i32x4.extract_lane 0 (local.get $cells))))
                    (else (i64.store (local.get $place) (i64x2.extract_lane 0 (local.get $cells)))))))))))
      (br_if $next (i32.lt_u (local.tee $symbol (i32.add (local.get $symbol) (i32.const 1))) (local.get $count))))
    (global.set $hasTree (i32.const 1))
    (local.get $at))
