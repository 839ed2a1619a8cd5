(func $invoke (param i32 i32 i32 i32) (result i32) (i32.const -8))
