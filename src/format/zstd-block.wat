;; Decodes small zstd frames (RFC 8878), the last part of the module that zstd-tables.wat begins: sequences, blocks, the frame.

  ;; The last three offsets.
  (global $first (mut i32) (i32.const 0))
  (global $second (mut i32) (i32.const 0))
  (global $third (mut i32) (i32.const 0))
  ;; The tables of the last sequences, each with how many bits tell its states apart; 0: none yet.
  (global $literalLengths (mut i32) (i32.const 0))
  (global $offsets (mut i32) (i32.const 0))
  (global $matchLengths (mut i32) (i32.const 0))
  (global $made (mut i32) (i32.const 0))

  ;; The table of one of the three codes of sequences (3.1.1.3.2.1), which is $made then. Gives where its description ends; 0 where it is damaged.
  (func $table
    (param $at i32) (param $end i32) (param $mode i32) (param $logMax i32) (param $symbolsMax i32) (param $own i32) (param $codes i32)
    (param $predefined i32) (param $before i32) (result i32)
    (local $symbol i32)
    (if (i32.eqz (local.get $mode))
      (then
        (global.set $made (local.get $predefined))
        (return (local.get $at))))
    (if (i32.eq (local.get $mode) (i32.const 3))
      (then
        (global.set $made (local.get $before))
        (return (select (local.get $at) (i32.const 0) (local.get $before)))))
    (if (i32.eq (local.get $mode) (i32.const 2))
      (then
        (local.set $at (call $counts (local.get $at) (local.get $end) (local.get $logMax) (local.get $symbolsMax)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
        (call $build (local.get $own) (local.get $codes))
        (global.set $made (i32.or (local.get $own) (global.get $log)))
        (return (local.get $at))))
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
    (local.set $symbol (i32.load8_u (local.get $at)))
    (if (i32.ge_u (local.get $symbol) (local.get $symbolsMax)) (then (return (i32.const 0))))
    (i64.store
      (local.get $own)
      (i64.or
        (i64.load (i32.add (local.get $codes) (i32.shl (local.get $symbol) (i32.const 3))))
        (i64.extend_i32_u (i32.shl (local.get $own) (i32.const 16)))))
    (global.set $made (local.get $own))
    (i32.add (local.get $at) (i32.const 1)))

  ;; The sequences of a block whose tables are made (3.1.1.4), each one literals and a copy of what came before, written from $out on. Gives where that
  ;; ends; 0 where they are damaged.
  (func $sequences (param $count i32) (param $begin i32) (param $end i32) (param $out i32) (param $outEnd i32) (result i32)
    (local $used i32) (local $total i32) (local $bits i64) (local $sum i32) (local $literalLength i32) (local $length i32) (local $offset i32)
    (local $l i64) (local $o i64) (local $m i64) (local $lAt i32) (local $oAt i32) (local $mAt i32)
    (local $literals i32) (local $from i32) (local $to i32) (local $pattern v128)
    (local.set $literals (global.get $literals))
    (local.set $total (i32.shl (i32.sub (local.get $end) (local.get $begin)) (i32.const 3)))
    (local.set $end (i32.sub (local.get $end) (i32.const 8)))
    (local.set $bits (i64.load align=1 (local.get $end)))
    (local.set $used (i32.add (i32.wrap_i64 (i64.clz (local.get $bits))) (i32.const 1)))
    (if (i32.gt_u (local.get $used) (i32.const 8)) (then (return (i32.const 0))))
    (local.set $bits (i64.shl (local.get $bits) (i64.extend_i32_u (local.get $used))))
    (local.set $l (i64.extend_i32_u (i32.and (global.get $literalLengths) (i32.const 15))))
    (local.set $lAt
      (i32.add
        (i32.and (global.get $literalLengths) (i32.const 0xfff0))
        (i32.shl
          (i32.wrap_i64 (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (local.get $l) (i64.const -1)))) (i32.const 3))))
    (local.set $bits (i64.shl (local.get $bits) (local.get $l)))
    (local.set $used (i32.add (local.get $used) (i32.wrap_i64 (local.get $l))))
    (local.set $o (i64.extend_i32_u (i32.and (global.get $offsets) (i32.const 15))))
    (local.set $oAt
      (i32.add
        (i32.and (global.get $offsets) (i32.const 0xfff0))
        (i32.shl
          (i32.wrap_i64 (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (local.get $o) (i64.const -1)))) (i32.const 3))))
    (local.set $bits (i64.shl (local.get $bits) (local.get $o)))
    (local.set $used (i32.add (local.get $used) (i32.wrap_i64 (local.get $o))))
    (local.set $m (i64.extend_i32_u (i32.and (global.get $matchLengths) (i32.const 15))))
    (local.set $mAt
      (i32.add
        (i32.and (global.get $matchLengths) (i32.const 0xfff0))
        (i32.shl
          (i32.wrap_i64 (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (local.get $m) (i64.const -1)))) (i32.const 3))))
    (local.set $bits (i64.shl (local.get $bits) (local.get $m)))
    (local.set $used (i32.add (local.get $used) (i32.wrap_i64 (local.get $m))))
    (loop $next
      (local.set $l (i64.load (local.get $lAt)))
      (local.set $o (i64.load (local.get $oAt)))
      (local.set $m (i64.load (local.get $mAt)))
      (local.set $bits
        (i64.shl
          (i64.load align=1 (i32.sub (local.get $end) (i32.shr_u (local.get $used) (i32.const 3))))
          (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))
      (local.set $sum (i32.wrap_i64 (i64.add (i64.add (local.get $l) (local.get $o)) (local.get $m))))
      (local.set $offset
        (i32.wrap_i64
          (i64.add
            (i64.shr_u (local.get $o) (i64.const 32))
            (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (local.get $o) (i64.const -1))))))
      ;; Beside 26 for the next states 31 more are there for certain.
      (if (i32.gt_u (i32.and (local.get $sum) (i32.const 0xff)) (i32.const 31))
        (then
          (local.set $used (i32.add (local.get $used) (i32.and (i32.wrap_i64 (local.get $o)) (i32.const 0xff))))
          (local.set $bits
            (i64.shl
              (i64.load align=1 (i32.sub (local.get $end) (i32.shr_u (local.get $used) (i32.const 3))))
              (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))
          (local.set $length
            (i32.wrap_i64
              (i64.add
                (i64.shr_u (local.get $m) (i64.const 32))
                (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (local.get $m) (i64.const -1))))))
          (local.set $bits (i64.shl (local.get $bits) (local.get $m)))
          (local.set $literalLength
            (i32.wrap_i64
              (i64.add
                (i64.shr_u (local.get $l) (i64.const 32))
                (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (local.get $l) (i64.const -1))))))
          (local.set $used
            (i32.add (local.get $used) (i32.and (i32.wrap_i64 (i64.add (local.get $l) (local.get $m))) (i32.const 0xff))))
          (local.set $bits
            (i64.shl
              (i64.load align=1 (i32.sub (local.get $end) (i32.shr_u (local.get $used) (i32.const 3))))
              (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7))))))
        (else
          (local.set $bits (i64.shl (local.get $bits) (local.get $o)))
          (local.set $length (i32.wrap_i64 (i64.shr_u (local.get $m) (i64.const 32))))
          (local.set $literalLength (i32.wrap_i64 (i64.shr_u (local.get $l) (i64.const 32))))
          (if (i32.and (i32.wrap_i64 (i64.or (local.get $m) (local.get $l))) (i32.const 0xff))
            (then
              (local.set $length
                (i32.add
                  (local.get $length)
                  (i32.wrap_i64 (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (local.get $m) (i64.const -1))))))
              (local.set $bits (i64.shl (local.get $bits) (local.get $m)))
              (local.set $literalLength
                (i32.add
                  (local.get $literalLength)
                  (i32.wrap_i64 (i64.shr_u (i64.shr_u (local.get $bits) (i64.const 1)) (i64.xor (local.get $l) (i64.const -1))))))
              (local.set $bits (i64.shl (local.get $bits) (local.get $l)))))
          (local.set $used (i32.add (local.get $used) (i32.and (local.get $sum) (i32.const 0xff))))))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (if (local.get $count)
        (then
          (local.set $lAt
            (i32.add
              (i32.and (i32.shr_u (i32.wrap_i64 (local.get $l)) (i32.const 16)) (i32.const 0xffff))
              (i32.shl
                (i32.wrap_i64
                  (i64.shr_u
                    (i64.shr_u (local.get $bits) (i64.const 1))
                    (i64.xor (i64.shr_u (local.get $l) (i64.const 8)) (i64.const -1))))
                (i32.const 3))))
          (local.set $bits (i64.shl (local.get $bits) (i64.shr_u (local.get $l) (i64.const 8))))
          (local.set $mAt
            (i32.add
              (i32.and (i32.shr_u (i32.wrap_i64 (local.get $m)) (i32.const 16)) (i32.const 0xffff))
              (i32.shl
                (i32.wrap_i64
                  (i64.shr_u
                    (i64.shr_u (local.get $bits) (i64.const 1))
                    (i64.xor (i64.shr_u (local.get $m) (i64.const 8)) (i64.const -1))))
                (i32.const 3))))
          (local.set $bits (i64.shl (local.get $bits) (i64.shr_u (local.get $m) (i64.const 8))))
          (local.set $oAt
            (i32.add
              (i32.and (i32.shr_u (i32.wrap_i64 (local.get $o)) (i32.const 16)) (i32.const 0xffff))
              (i32.shl
                (i32.wrap_i64
                  (i64.shr_u
                    (i64.shr_u (local.get $bits) (i64.const 1))
                    (i64.xor (i64.shr_u (local.get $o) (i64.const 8)) (i64.const -1))))
                (i32.const 3))))
          (local.set $used
            (i32.add (local.get $used) (i32.and (i32.shr_u (local.get $sum) (i32.const 8)) (i32.const 0xff))))))
      (if (i32.gt_u (local.get $used) (local.get $total)) (then (return (i32.const 0))))
      ;; Codes 0 and 1 of offsets name one of the last three (3.1.1.5), the next one where there are no literals.
      (if (i32.and (i32.wrap_i64 (local.get $o)) (i32.const 0xfe))
        (then
          (global.set $third (global.get $second))
          (global.set $second (global.get $first))
          (global.set $first (local.get $offset)))
        (else
          (local.set $offset (i32.add (local.get $offset) (i32.eqz (local.get $literalLength))))
          (if (local.get $offset)
            (then
              (if (i32.eq (local.get $offset) (i32.const 1))
                (then (local.set $offset (global.get $second)))
                (else
                  (local.set $offset
                    (select
                      (global.get $third) (i32.sub (global.get $first) (i32.const 1)) (i32.eq (local.get $offset) (i32.const 2))))
                  (global.set $third (global.get $second))))
              (global.set $second (global.get $first))
              (global.set $first (local.get $offset)))
            (else (local.set $offset (global.get $first))))))
      (if
        (i32.or
          (i32.gt_u (local.get $literalLength) (i32.sub (global.get $literalsEnd) (local.get $literals)))
          (i32.gt_u (i32.add (local.get $literalLength) (local.get $length)) (i32.sub (local.get $outEnd) (local.get $out))))
        (then (return (i32.const 0))))
      (v128.store align=1 (local.get $out) (v128.load align=1 (local.get $literals)))
      (if (i32.gt_u (local.get $literalLength) (i32.const 16))
        (then (call $copy (local.get $out) (local.get $literals) (local.get $literalLength))))
      (local.set $out (i32.add (local.get $out) (local.get $literalLength)))
      (local.set $literals (i32.add (local.get $literals) (local.get $literalLength)))
      (if (i32.ge_u (i32.sub (local.get $offset) (i32.const 1)) (i32.sub (local.get $out) (i32.const 0x52000)))
        (then (return (i32.const 0))))
      (local.set $from (i32.sub (local.get $out) (local.get $offset)))
      (if (i32.ge_u (local.get $offset) (i32.const 16))
        (then
          (v128.store align=1 (local.get $out) (v128.load align=1 (local.get $from)))
          (v128.store offset=16 align=1 (local.get $out) (v128.load offset=16 align=1 (local.get $from)))
          (if (i32.gt_u (local.get $length) (i32.const 32))
            (then (call $copy (local.get $out) (local.get $from) (local.get $length))))
          (local.set $out (i32.add (local.get $out) (local.get $length))))
        (else
          ;; What it repeats is shorter than a step: as much of it as fits into one, whole times.
          (local.set $pattern
            (i8x16.swizzle
              (v128.load align=1 (local.get $from)) (v128.load offset=0x0e00 (i32.shl (local.get $offset) (i32.const 4)))))
          (local.set $sum (i32.load8_u offset=0x0f00 (local.get $offset)))
          (local.set $from (local.get $out))
          (local.set $out (i32.add (local.get $out) (local.get $length)))
          (loop $repeat
            (v128.store align=1 (local.get $from) (local.get $pattern))
            (br_if $repeat (i32.lt_u (local.tee $from (i32.add (local.get $from) (local.get $sum))) (local.get $out))))))
      (br_if $next (local.get $count)))
    (global.set $literals (local.get $literals))
    (select (local.get $out) (i32.const 0) (i32.eq (local.get $used) (local.get $total))))

  ;; Copies by steps of 16 bytes, up to 15 more than are asked for; what lies less than $length before $to is repeated, but nothing less than 16.
  (func $copy (param $to i32) (param $from i32) (param $length i32)
    (local $end i32)
    (if
      (i32.and
        (i32.ge_u (local.get $length) (i32.const 512)) (i32.ge_u (i32.sub (local.get $to) (local.get $from)) (local.get $length)))
      (then
        (memory.copy (local.get $to) (local.get $from) (local.get $length))
        (return)))
    (local.set $end (i32.add (local.get $to) (local.get $length)))
    (loop $next
      (v128.store align=1 (local.get $to) (v128.load align=1 (local.get $from)))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (br_if $next (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 16))) (local.get $end)))))

  ;; A compressed block (3.1.1.3). Gives where its content ends; 0 where it is damaged.
  (func $block (param $at i32) (param $end i32) (param $out i32) (param $outEnd i32) (result i32)
    (local $count i32) (local $modes i32)
    (local.set $at (call $readLiterals (local.get $at) (local.get $end)))
    (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
    (local.set $count (i32.load8_u (local.get $at)))
    (if (local.get $count)
      (then
        (if (i32.eq (local.get $count) (i32.const 255))
          (then
            (local.set $count (i32.add (i32.load16_u offset=1 align=1 (local.get $at)) (i32.const 0x7f00)))
            (local.set $at (i32.add (local.get $at) (i32.const 2))))
          (else
            (if (i32.ge_u (local.get $count) (i32.const 128))
              (then
                (local.set $count
                  (i32.or
                    (i32.shl (i32.sub (local.get $count) (i32.const 128)) (i32.const 8)) (i32.load8_u offset=1 (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))))))
        (local.set $modes (i32.load8_u offset=1 (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (if
          (i32.or (i32.or (i32.eqz (local.get $count)) (i32.gt_u (local.get $at) (local.get $end))) (i32.and (local.get $modes) (i32.const 3)))
          (then (return (i32.const 0))))
        (local.set $at
          (call $table
            (local.get $at) (local.get $end) (i32.shr_u (local.get $modes) (i32.const 6)) (i32.const 9) (i32.const 36)
            (i32.const 0x2000) (i32.const 0x0000) (i32.const 0x1006) (global.get $literalLengths)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
        (global.set $literalLengths (global.get $made))
        (local.set $at
          (call $table
            (local.get $at) (local.get $end) (i32.and (i32.shr_u (local.get $modes) (i32.const 4)) (i32.const 3)) (i32.const 8) (i32.const 32)
            (i32.const 0x4000) (i32.const 0x0140) (i32.const 0x1405) (global.get $offsets)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
        (global.set $offsets (global.get $made))
        (local.set $at
          (call $table
            (local.get $at) (local.get $end) (i32.and (i32.shr_u (local.get $modes) (i32.const 2)) (i32.const 3)) (i32.const 9) (i32.const 53)
            (i32.const 0x3000) (i32.const 0x0240) (i32.const 0x1206) (global.get $matchLengths)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
        (global.set $matchLengths (global.get $made))
        (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
        (local.set $out (call $sequences (local.get $count) (local.get $at) (local.get $end) (local.get $out) (local.get $outEnd)))
        (if (i32.eqz (local.get $out)) (then (return (i32.const 0)))))
      (else (if (i32.ne (i32.add (local.get $at) (i32.const 1)) (local.get $end)) (then (return (i32.const 0))))))
    ;; What is left of the literals.
    (local.set $count (i32.sub (global.get $literalsEnd) (global.get $literals)))
    (if (i32.gt_u (local.get $count) (i32.sub (local.get $outEnd) (local.get $out))) (then (return (i32.const 0))))
    (call $copy (local.get $out) (global.get $literals) (local.get $count))
    (i32.add (local.get $out) (local.get $count)))

  ;; Decodes the frame of $stored bytes at 0x31000, which names $raw bytes as its content, to 0x52000. Gives 0, or what is wrong: 1 it is none
  ;; that is decoded here; 2 damaged, in its header or the order of its blocks; 3 damaged within a block; 4 blocks that checkZstdShape refuses.
  (func (export "decode") (param $stored i32) (param $raw i32) (result i32)
    (local $at i32) (local $end i32) (local $out i32) (local $outEnd i32) (local $blockEnd i32) (local $head i32) (local $size i32) (local $type i32)
    (local $plain i32) (local $packed i32) (local $named i64)
    (if (i32.or (i32.gt_u (local.get $stored) (i32.const 0x20f00)) (i32.gt_u (local.get $raw) (i32.const 0x20000)))
      (then (return (i32.const 1))))
    (local.set $end (i32.add (local.get $stored) (i32.const 0x31000)))
    (if (i32.or (i32.lt_u (local.get $stored) (i32.const 6)) (i32.ne (i32.load offset=0x31000 (i32.const 0)) (i32.const 0xfd2fb528)))
      (then (return (i32.const 2))))
    (local.set $head (i32.load8_u offset=0x31004 (i32.const 0)))
    ;; A dictionary, a checksum, a reserved bit.
    (if (i32.and (local.get $head) (i32.const 0x0f)) (then (return (i32.const 1))))
    (local.set $at (i32.const 0x31005))
    (local.set $size (local.get $raw))
    (if (i32.eqz (i32.and (local.get $head) (i32.const 0x20)))
      (then
        (local.set $type (i32.load8_u offset=0x31005 (i32.const 0)))
        (local.set $at (i32.const 0x31006))
        ;; Windows so large are for who asks for them.
        (if (i32.gt_u (local.get $type) (i32.const 0x87)) (then (return (i32.const 1))))
        (local.set $size (i32.shl (i32.const 1) (i32.add (i32.shr_u (local.get $type) (i32.const 3)) (i32.const 10))))
        (local.set $size
          (i32.add (local.get $size) (i32.mul (i32.shr_u (local.get $size) (i32.const 3)) (i32.and (local.get $type) (i32.const 7)))))
        ;; Where the window holds all of the content no offset has to be compared with it.
        (if (i32.lt_u (local.get $size) (local.get $raw)) (then (return (i32.const 1))))))
    (global.set $blockMax (select (local.get $size) (i32.const 0x20000) (i32.lt_u (local.get $size) (i32.const 0x20000))))
    (local.set $named (i64.load align=1 (local.get $at)))
    (local.set $type (i32.shr_u (local.get $head) (i32.const 6)))
    (if (i32.eqz (local.get $type))
      (then
        (if (i32.eqz (i32.and (local.get $head) (i32.const 0x20))) (then (return (i32.const 2))))
        (local.set $named (i64.and (local.get $named) (i64.const 0xff))))
      (else
        (if (i32.eq (local.get $type) (i32.const 1))
          (then (local.set $named (i64.add (i64.and (local.get $named) (i64.const 0xffff)) (i64.const 256))))
          (else
            (if (i32.eq (local.get $type) (i32.const 2))
              (then (local.set $named (i64.and (local.get $named) (i64.const 0xffffffff)))))))))
    (if (i64.ne (local.get $named) (i64.extend_i32_u (local.get $raw))) (then (return (i32.const 2))))
    (local.set $at (i32.add (local.get $at) (i32.shl (i32.const 1) (local.get $type))))
    (global.set $hasTree (i32.const 0))
    (global.set $literalLengths (i32.const 0))
    (global.set $offsets (i32.const 0))
    (global.set $matchLengths (i32.const 0))
    (global.set $first (i32.const 1))
    (global.set $second (i32.const 4))
    (global.set $third (i32.const 8))
    (local.set $out (i32.const 0x52000))
    (local.set $outEnd (i32.add (local.get $raw) (i32.const 0x52000)))
    (loop $next
      (local.set $head (i32.load align=1 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 3)))
      (if (i32.gt_u (local.get $at) (local.get $end)) (then (return (i32.const 2))))
      (local.set $type (i32.and (i32.shr_u (local.get $head) (i32.const 1)) (i32.const 3)))
      (local.set $size (i32.shr_u (i32.and (local.get $head) (i32.const 0xffffff)) (i32.const 3)))
      (if (i32.or (i32.gt_u (local.get $size) (global.get $blockMax)) (i32.eq (local.get $type) (i32.const 3)))
        (then (return (i32.const 2))))
      (if (i32.eq (local.get $type) (i32.const 2))
        (then
          (if (i32.gt_u (local.get $size) (i32.sub (local.get $end) (local.get $at))) (then (return (i32.const 2))))
          (local.set $packed (i32.add (local.get $packed) (i32.const 1)))
          ;; At once, too: what is refused at the end takes its time until then.
          (if (i32.gt_u (local.get $packed) (i32.add (i32.shr_u (local.get $raw) (i32.const 13)) (i32.const 2))) (then (return (i32.const 4))))
          (local.set $blockEnd (i32.add (local.get $out) (global.get $blockMax)))
          (local.set $out
            (call $block
              (local.get $at) (i32.add (local.get $at) (local.get $size)) (local.get $out)
              (select (local.get $blockEnd) (local.get $outEnd) (i32.lt_u (local.get $blockEnd) (local.get $outEnd)))))
          (if (i32.eqz (local.get $out)) (then (return (i32.const 3))))
          (local.set $at (i32.add (local.get $at) (local.get $size))))
        (else
          (if (i32.gt_u (local.get $size) (i32.sub (local.get $outEnd) (local.get $out))) (then (return (i32.const 2))))
          (local.set $plain (i32.add (local.get $plain) (local.get $size)))
          (if (local.get $type)
            (then
              (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 2))))
              (memory.fill (local.get $out) (i32.load8_u (local.get $at)) (local.get $size))
              (local.set $at (i32.add (local.get $at) (i32.const 1))))
            (else
              (if (i32.gt_u (local.get $size) (i32.sub (local.get $end) (local.get $at))) (then (return (i32.const 2))))
              (memory.copy (local.get $out) (local.get $at) (local.get $size))
              (local.set $at (i32.add (local.get $at) (local.get $size)))))
          (local.set $out (i32.add (local.get $out) (local.get $size)))))
      (br_if $next (i32.eqz (i32.and (local.get $head) (i32.const 1)))))
    (if (i32.or (i32.ne (local.get $at) (local.get $end)) (i32.ne (local.get $out) (local.get $outEnd))) (then (return (i32.const 2))))
    (if
      (i32.gt_u
        (local.get $packed)
        (i32.add (i32.shr_u (i32.sub (local.get $raw) (local.get $plain)) (i32.const 13)) (i32.const 2)))
      (then (return (i32.const 4))))
    (i32.const 0)))
