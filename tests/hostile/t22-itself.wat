;; Reaches itself through a table, as deep as it goes.
(type $entry (func (param i32 i32 i32 i32) (result i32)))
(table 1 funcref)
(elem (i32.const 0) $invoke)
(func $invoke (param i32 i32 i32 i32) (result i32)
  (i32.add (call_indirect (type $entry) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0)) (i32.const 1)))
