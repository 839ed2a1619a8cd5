(func $invoke (param i32 i32 i32 i32) (result i32)
  (local $n i32)
  (loop $more
    (i32.store (i32.add (i32.const 16384) (i32.mul (local.get $n) (i32.const 4))) (call $timer (i64.const 9000000000000000000)))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 100))))
  (call $poll (i32.const 16384) (i32.const 100) (i32.const 2400))
  (call $ok))
