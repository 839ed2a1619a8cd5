(func $invoke (param i32 i32 i32 i32) (result i32)
  (loop $more (drop (call $thing (i32.const 1))) (br $more))
  (unreachable))
