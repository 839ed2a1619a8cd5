(data (i32.const 16384) "{\"a\":\"\5cu0000\"}")
(func $invoke (param i32 i32 i32 i32) (result i32) (call $json (i32.const 16384) (i32.const 14)))
