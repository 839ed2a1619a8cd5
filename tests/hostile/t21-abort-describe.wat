(func $describe (result i32) (unreachable))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
