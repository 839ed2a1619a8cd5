(func $invoke (param i32 i32 i32 i32) (result i32)
  (loop $again (call $log (i32.const 2) (i32.const 64) (i32.const 2)) (br $again))
  (unreachable))
