;; Three thousand parts with nothing in them but their wrapping.
(func $invoke (param i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 2056) (i32.const 131072))
  (i32.store (i32.const 2060) (i32.const 3000))
  (drop (memory.grow (i32.const 4)))
  (call $ok))
