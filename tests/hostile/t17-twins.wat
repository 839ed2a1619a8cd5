;; Two tools of one name.
(func $describe (result i32)
  (i32.store (i32.const 1028) (i32.const 2))
  (memory.copy (i32.const 1092) (i32.const 1040) (i32.const 52))
  (i32.const 1024))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
