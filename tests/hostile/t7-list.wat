;; Ninety thousand empty texts that are all there.
(func $invoke (param i32 i32 i32 i32) (result i32)
  (drop (memory.grow (i32.const 50)))
  (i32.store (i32.const 2056) (i32.const 131072))
  (i32.store (i32.const 2060) (i32.const 90000))
  (call $ok))
