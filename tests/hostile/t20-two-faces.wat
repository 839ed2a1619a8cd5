;; Would be called something else at another time, in another process, by other chance.
(func $describe (result i32)
  (local $n i64) (local $at i32) (local $end i32)
  (local.set $n (i64.xor (i64.xor (call $now) (call $random)) (call $left)))
  (call $environment (i32.const 2400))
  (local.set $n (i64.xor (local.get $n) (i64.load (i32.const 2400))))
  ;; Every letter of the description, so that two are never the same by chance.
  (local.set $at (i32.load (i32.const 1048)))
  (local.set $end (i32.add (local.get $at) (i32.load (i32.const 1052))))
  (loop $more
    (i32.store8 (local.get $at) (i32.add (i32.const 97) (i32.wrap_i64 (i64.and (local.get $n) (i64.const 15)))))
    (local.set $n (i64.rotr (local.get $n) (i64.const 4)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $at) (local.get $end))))
  (i32.const 1024))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
