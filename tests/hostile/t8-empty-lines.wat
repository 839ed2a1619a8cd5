(func $invoke (param i32 i32 i32 i32) (result i32)
  (local $n i32)
  (loop $more
    (call $log (i32.const 4) (i32.const 64) (i32.const 0))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 5000))))
  (call $ok))
