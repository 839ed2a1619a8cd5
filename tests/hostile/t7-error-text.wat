(func $invoke (param i32 i32 i32 i32) (result i32)
  (drop (memory.grow (i32.const 10)))
  (memory.fill (i32.const 65536) (i32.const 120) (i32.const 600000))
  (call $fail (i32.const 65536) (i32.const 600000)))
