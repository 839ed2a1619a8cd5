(func $done (param i32) (loop $again (br $again)))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
