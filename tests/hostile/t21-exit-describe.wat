(func $describe (result i32)
  (call $exit (i32.const 0))
  (unreachable))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
