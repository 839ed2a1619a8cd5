(func $invoke (param i32 i32 i32 i32) (result i32)
  (drop (memory.grow (i32.const 10)))
  (memory.fill (i32.const 16384) (i32.const 120) (i32.const 600000))
  (call $text (i32.const 16384) (i32.const 600000)))
