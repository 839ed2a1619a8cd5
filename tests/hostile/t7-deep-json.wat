;; Eight thousand arrays, each in the one before.
(func $invoke (param i32 i32 i32 i32) (result i32)
  (memory.fill (i32.const 16384) (i32.const 91) (i32.const 8000))
  (memory.fill (i32.const 24384) (i32.const 93) (i32.const 8000))
  (call $json (i32.const 16384) (i32.const 16000)))
