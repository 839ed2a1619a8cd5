(func $invoke (param i32 i32 i32 i32) (result i32)
  (drop (memory.grow (i32.const 960)))
  (loop $again
    (memory.copy (i32.const 65536) (i32.const 31522816) (i32.const 31457280))
    (br $again))
  (unreachable))
