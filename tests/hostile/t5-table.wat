(table $t 1 funcref)
(func $invoke (param i32 i32 i32 i32) (result i32)
  (loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1))))
  (unreachable))
