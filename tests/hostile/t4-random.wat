(func $invoke (param i32 i32 i32 i32) (result i32)
  (loop $again (drop (call $random)) (br $again))
  (unreachable))
