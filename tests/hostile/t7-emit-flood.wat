(func $invoke (param i32 i32 i32 i32) (result i32)
  (loop $again
    (call $emit (i32.const 0) (i32.const 64) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (br $again))
  (unreachable))
