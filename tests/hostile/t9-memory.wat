;; Takes all the memory there is and answers "ok" when none of it holds what somebody else left there.
(func $invoke (param i32 i32 i32 i32) (result i32)
  (local $at i32) (local $end i32)
  (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (local.set $end (i32.mul (memory.size) (i32.const 65536)))
  (local.set $at (i32.const 196608))
  (loop $look
    (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
    (i64.store (local.get $at) (i64.const 81985529216486895))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $look (i32.lt_u (local.get $at) (local.get $end))))
  (call $ok))
