(func $invoke (param i32 i32 i32 i32) (result i32)
  (drop (memory.grow (i32.const 960)))
  (loop $again
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 62914560))
    (br $again))
  (unreachable))
