(type $pair (struct (field i32) (field i32)))
(func $invoke (param i32 i32 i32 i32) (result i32)
  (loop $more (drop (struct.new $pair (i32.const 1) (i32.const 2))) (br $more))
  (unreachable))
