;; Decodes small zstd frames (RFC 8878), the second part of the module that zstd-tables.wat begins: Huffman streams and the literals of a block.

  ;; The most a block of the frame may give.
  (global $blockMax (mut i32) (i32.const 0))
  ;; Where the literals of the block begin that were not copied yet, and where they end.
  (global $literals (mut i32) (i32.const 0))
  (global $literalsEnd (mut i32) (i32.const 0))

  ;; The rest of a Huffman stream, of which $bits are eight bytes from $from on, what was used of them shifted out: then as many zeros stand behind the
  ;; lowest bit, which is set for that. Gives whether it ends with what it had to give.
  (func $drain (param $begin i32) (param $from i32) (param $bits i64) (param $to i32) (param $toEnd i32) (result i32)
    (local $used i32) (local $cell i64)
    (block $rest
      (loop $next
        (br_if $rest (i32.lt_u (i32.sub (local.get $toEnd) (local.get $to)) (i32.const 5)))
        (local.set $used (i32.wrap_i64 (i64.ctz (local.get $bits))))
        (local.set $from (i32.sub (local.get $from) (i32.shr_u (local.get $used) (i32.const 3))))
        (local.set $bits
          (i64.shl
            (i64.or (i64.load align=1 (local.get $from)) (i64.const 1)) (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits (i64.shl (local.get $bits) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=1 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits (i64.shl (local.get $bits) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=2 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits (i64.shl (local.get $bits) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=3 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits (i64.shl (local.get $bits) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=4 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits (i64.shl (local.get $bits) (local.get $cell)))
        (local.set $to (i32.add (local.get $to) (i32.const 5)))
        (br $next)))
    (block $whole
      (loop $next
        (local.set $used (i32.wrap_i64 (i64.ctz (local.get $bits))))
        (local.set $from (i32.sub (local.get $from) (i32.shr_u (local.get $used) (i32.const 3))))
        (local.set $bits
          (i64.shl
            (i64.or (i64.load align=1 (local.get $from)) (i64.const 1)) (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))
        (br_if $whole (i32.ge_u (local.get $to) (local.get $toEnd)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits (i64.shl (local.get $bits) (local.get $cell)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (br $next)))
    (i32.eq
      (i32.shl (i32.sub (i32.add (local.get $from) (i32.const 8)) (local.get $begin)) (i32.const 3)) (i32.wrap_i64 (i64.ctz (local.get $bits)))))

  ;; Four Huffman streams (4.2.2), all but their ends in one loop. Gives whether each ends with what it had to give.
  (func $streams (param $at i32) (param $end i32) (param $to i32) (param $count i32) (result i32)
    (local $begin2 i32) (local $begin3 i32) (local $begin4 i32) (local $share i32) (local $times i32) (local $used i32) (local $cell i64)
    (local $from1 i32) (local $from2 i32) (local $from3 i32) (local $from4 i32) (local $to2 i32) (local $to3 i32) (local $to4 i32) (local $toEnd i32)
    (local $bits1 i64) (local $bits2 i64) (local $bits3 i64) (local $bits4 i64)
    (if (i32.or (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 10)) (i32.lt_u (local.get $count) (i32.const 6)))
      (then (return (i32.const 0))))
    (local.set $from1 (i32.add (local.get $at) (i32.const 6)))
    (local.set $begin2 (i32.add (local.get $from1) (i32.load16_u align=1 (local.get $at))))
    (local.set $begin3 (i32.add (local.get $begin2) (i32.load16_u offset=2 align=1 (local.get $at))))
    (local.set $begin4 (i32.add (local.get $begin3) (i32.load16_u offset=4 align=1 (local.get $at))))
    (local.set $at (local.get $from1))
    (if
      (i32.or
        (i32.or (i32.ge_u (local.get $at) (local.get $begin2)) (i32.ge_u (local.get $begin2) (local.get $begin3)))
        (i32.or (i32.ge_u (local.get $begin3) (local.get $begin4)) (i32.ge_u (local.get $begin4) (local.get $end))))
      (then (return (i32.const 0))))
    (local.set $share (i32.shr_u (i32.add (local.get $count) (i32.const 3)) (i32.const 2)))
    (local.set $to2 (i32.add (local.get $to) (local.get $share)))
    (local.set $to3 (i32.add (local.get $to2) (local.get $share)))
    (local.set $to4 (i32.add (local.get $to3) (local.get $share)))
    (local.set $toEnd (i32.add (local.get $to) (local.get $count)))
    (local.set $from1 (i32.sub (local.get $begin2) (i32.const 8)))
    (local.set $bits1 (call $opened (local.get $from1)))
    (local.set $from2 (i32.sub (local.get $begin3) (i32.const 8)))
    (local.set $bits2 (call $opened (local.get $from2)))
    (local.set $from3 (i32.sub (local.get $begin4) (i32.const 8)))
    (local.set $bits3 (call $opened (local.get $from3)))
    (local.set $from4 (i32.sub (local.get $end) (i32.const 8)))
    (local.set $bits4 (call $opened (local.get $from4)))
    (if
      (i32.or
        (i32.or (i64.eqz (local.get $bits1)) (i64.eqz (local.get $bits2))) (i32.or (i64.eqz (local.get $bits3)) (i64.eqz (local.get $bits4))))
      (then (return (i32.const 0))))
    ;; The fourth gives no more than the others.
    (local.set $times (i32.div_u (i32.sub (local.get $toEnd) (local.get $to4)) (i32.const 5)))
    (block $rest
      (loop $next
        (br_if $rest (i32.eqz (local.get $times)))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (local.set $used (i32.wrap_i64 (i64.ctz (local.get $bits1))))
        (local.set $from1 (i32.sub (local.get $from1) (i32.shr_u (local.get $used) (i32.const 3))))
        (local.set $bits1
          (i64.shl
            (i64.or (i64.load align=1 (local.get $from1)) (i64.const 1)) (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits1) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits1 (i64.shl (local.get $bits1) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits1) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=1 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits1 (i64.shl (local.get $bits1) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits1) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=2 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits1 (i64.shl (local.get $bits1) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits1) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=3 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits1 (i64.shl (local.get $bits1) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits1) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=4 (local.get $to) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits1 (i64.shl (local.get $bits1) (local.get $cell)))
        (local.set $to (i32.add (local.get $to) (i32.const 5)))
        (local.set $used (i32.wrap_i64 (i64.ctz (local.get $bits2))))
        (local.set $from2 (i32.sub (local.get $from2) (i32.shr_u (local.get $used) (i32.const 3))))
        (local.set $bits2
          (i64.shl
            (i64.or (i64.load align=1 (local.get $from2)) (i64.const 1)) (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits2) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 (local.get $to2) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits2 (i64.shl (local.get $bits2) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits2) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=1 (local.get $to2) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits2 (i64.shl (local.get $bits2) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits2) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=2 (local.get $to2) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits2 (i64.shl (local.get $bits2) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits2) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=3 (local.get $to2) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits2 (i64.shl (local.get $bits2) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits2) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=4 (local.get $to2) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits2 (i64.shl (local.get $bits2) (local.get $cell)))
        (local.set $to2 (i32.add (local.get $to2) (i32.const 5)))
        (local.set $used (i32.wrap_i64 (i64.ctz (local.get $bits3))))
        (local.set $from3 (i32.sub (local.get $from3) (i32.shr_u (local.get $used) (i32.const 3))))
        (local.set $bits3
          (i64.shl
            (i64.or (i64.load align=1 (local.get $from3)) (i64.const 1)) (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits3) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 (local.get $to3) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits3 (i64.shl (local.get $bits3) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits3) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=1 (local.get $to3) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits3 (i64.shl (local.get $bits3) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits3) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=2 (local.get $to3) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits3 (i64.shl (local.get $bits3) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits3) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=3 (local.get $to3) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits3 (i64.shl (local.get $bits3) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits3) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=4 (local.get $to3) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits3 (i64.shl (local.get $bits3) (local.get $cell)))
        (local.set $to3 (i32.add (local.get $to3) (i32.const 5)))
        (local.set $used (i32.wrap_i64 (i64.ctz (local.get $bits4))))
        (local.set $from4 (i32.sub (local.get $from4) (i32.shr_u (local.get $used) (i32.const 3))))
        (local.set $bits4
          (i64.shl
            (i64.or (i64.load align=1 (local.get $from4)) (i64.const 1)) (i64.extend_i32_u (i32.and (local.get $used) (i32.const 7)))))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits4) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 (local.get $to4) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits4 (i64.shl (local.get $bits4) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits4) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=1 (local.get $to4) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits4 (i64.shl (local.get $bits4) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits4) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=2 (local.get $to4) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits4 (i64.shl (local.get $bits4) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits4) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=3 (local.get $to4) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits4 (i64.shl (local.get $bits4) (local.get $cell)))
        (local.set $cell
          (i64.load16_u offset=0x5000 (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits4) (i64.const 52)) (i64.const 0xffe)))))
        (i64.store8 offset=4 (local.get $to4) (i64.shr_u (local.get $cell) (i64.const 8)))
        (local.set $bits4 (i64.shl (local.get $bits4) (local.get $cell)))
        (local.set $to4 (i32.add (local.get $to4) (i32.const 5)))
        (br $next)))
    (local.set $used (i32.sub (local.get $toEnd) (local.get $count)))
    (i32.and
      (i32.and
        (call $drain
          (local.get $at) (local.get $from1) (local.get $bits1) (local.get $to) (i32.add (local.get $used) (local.get $share)))
        (call $drain
          (local.get $begin2) (local.get $from2) (local.get $bits2) (local.get $to2)
          (i32.add (local.get $used) (i32.mul (local.get $share) (i32.const 2)))))
      (i32.and
        (call $drain
          (local.get $begin3) (local.get $from3) (local.get $bits3) (local.get $to3)
          (i32.add (local.get $used) (i32.mul (local.get $share) (i32.const 3))))
        (call $drain (local.get $begin4) (local.get $from4) (local.get $bits4) (local.get $to4) (local.get $toEnd)))))

  ;; The last eight bytes of a Huffman stream as $drain has them, without the padding and the bit that ends it; 0 where there is none.
  (func $opened (param $from i32) (result i64)
    (local $bits i64) (local $padding i64)
    (local.set $bits (i64.load align=1 (local.get $from)))
    (local.set $padding (i64.clz (local.get $bits)))
    (if (i64.gt_u (local.get $padding) (i64.const 7)) (then (return (i64.const 0))))
    (i64.shl (i64.or (local.get $bits) (i64.const 1)) (i64.add (local.get $padding) (i64.const 1))))

  ;; The literals section of a block (3.1.1.3.1). Gives where it ends; 0 where it is damaged.
  (func $readLiterals (param $at i32) (param $end i32) (result i32)
    (local $head i64) (local $kind i32) (local $form i32) (local $size i32) (local $stop i32) (local $bits i64) (local $bytes i64)
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
    (local.set $head (i64.load align=1 (local.get $at)))
    (local.set $kind (i32.and (i32.wrap_i64 (local.get $head)) (i32.const 3)))
    (local.set $form (i32.and (i32.shr_u (i32.wrap_i64 (local.get $head)) (i32.const 2)) (i32.const 3)))
    (if (i32.lt_u (local.get $kind) (i32.const 2))
      (then
        (local.set $size (i32.and (i32.wrap_i64 (local.get $head)) (i32.const 0xffffff)))
        (if (i32.and (local.get $form) (i32.const 1))
          (then
            (if (i32.eq (local.get $form) (i32.const 1)) (then (local.set $size (i32.and (local.get $size) (i32.const 0xffff)))))
            (local.set $size (i32.shr_u (local.get $size) (i32.const 4)))
            (local.set $at (i32.add (i32.add (local.get $at) (i32.shr_u (local.get $form) (i32.const 1))) (i32.const 2))))
          (else
            (local.set $size (i32.shr_u (i32.and (local.get $size) (i32.const 0xff)) (i32.const 3)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))))
        (if (i32.gt_u (local.get $size) (global.get $blockMax)) (then (return (i32.const 0))))
        (if (local.get $kind)
          (then
            (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
            (memory.fill (i32.const 0x10000) (i32.load8_u (local.get $at)) (local.get $size))
            (global.set $literals (i32.const 0x10000))
            (local.set $at (i32.add (local.get $at) (i32.const 1))))
          (else
            ;; They are copied from where they stand.
            (global.set $literals (local.get $at))
            (local.set $at (i32.add (local.get $at) (local.get $size)))
            (if (i32.gt_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))))
        (global.set $literalsEnd (i32.add (global.get $literals) (local.get $size)))
        (return (local.get $at))))
    (local.set $bits (i64.extend_i32_u (select (i32.add (i32.shl (local.get $form) (i32.const 2)) (i32.const 6)) (i32.const 10) (local.get $form))))
    (local.set $bytes (i64.sub (i64.shl (i64.const 1) (local.get $bits)) (i64.const 1)))
    (local.set $size (i32.wrap_i64 (i64.and (i64.shr_u (local.get $head) (i64.const 4)) (local.get $bytes))))
    (local.set $at (i32.add (local.get $at) (select (i32.add (local.get $form) (i32.const 2)) (i32.const 3) (local.get $form))))
    (local.set $stop
      (i32.add
        (local.get $at)
        (i32.wrap_i64 (i64.and (i64.shr_u (local.get $head) (i64.add (local.get $bits) (i64.const 4))) (local.get $bytes)))))
    (if (i32.gt_u (local.get $stop) (local.get $end)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $size) (global.get $blockMax)) (then (return (i32.const 0))))
    (if (i32.eq (local.get $kind) (i32.const 2))
      (then
        (local.set $at (call $tree (local.get $at) (local.get $stop)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0)))))
      (else (if (i32.eqz (global.get $hasTree)) (then (return (i32.const 0))))))
    (global.set $literals (i32.const 0x10000))
    (global.set $literalsEnd (i32.add (i32.const 0x10000) (local.get $size)))
    (if (local.get $form)
      (then
        (if (i32.eqz (call $streams (local.get $at) (local.get $stop) (i32.const 0x10000) (local.get $size))) (then (return (i32.const 0)))))
      (else
        (if (i32.ge_u (local.get $at) (local.get $stop)) (then (return (i32.const 0))))
        (local.set $head (call $opened (i32.sub (local.get $stop) (i32.const 8))))
        (if (i64.eqz (local.get $head)) (then (return (i32.const 0))))
        (if
          (i32.eqz
            (call $drain
              (local.get $at) (i32.sub (local.get $stop) (i32.const 8)) (local.get $head) (i32.const 0x10000) (global.get $literalsEnd)))
          (then (return (i32.const 0))))))
    (local.get $stop))

