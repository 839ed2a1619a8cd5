(func $invoke (param i32 i32 i32 i32) (result i32)
  (local $n i32)
  (memory.fill (i32.const 16384) (i32.const 102) (i32.const 1000))
  (loop $more
    (call $log (i32.const 4) (i32.const 16384) (i32.const 1000))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 2000))))
  (call $ok))
