;; Would be called something else at another time, in another process, by other chance.
(func $describe (result i32)
  (local $n i64)
  (local.set $n (i64.xor (i64.xor (call $now) (call $random)) (call $left)))
  (call $environment (i32.const 2400))
  (local.set $n (i64.xor (local.get $n) (i64.load (i32.const 2400))))
  (i32.store8 (i32.load (i32.const 1048)) (i32.add (i32.const 97) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 26)))))
  (i32.const 1024))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
