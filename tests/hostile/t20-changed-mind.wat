;; Describes itself differently from the second time on, if there is one.
(global $asked (mut i32) (i32.const 0))
(func $describe (result i32)
  (i32.store8 (i32.load (i32.const 1048)) (i32.add (i32.const 97) (global.get $asked)))
  (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
  (i32.const 1024))
(func $invoke (param i32 i32 i32 i32) (result i32)
  (if (global.get $asked) (then (unreachable)))
  (call $ok))
