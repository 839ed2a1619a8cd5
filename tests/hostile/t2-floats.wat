(func $step (param f64) (result f64)
  (f64.sqrt (f64.div (f64.add (f64.sqrt (f64.div (local.get 0) (f64.const 0.3))) (f64.const 1.1)) (f64.const 0.7))))
(func $invoke (param i32 i32 i32 i32) (result i32)
  (local $x f64)
  (loop $again
    (local.set $x (call $step (call $step (call $step (call $step (local.get $x))))))
    (br_if $again (f64.ne (local.get $x) (f64.const -1))))
  (call $ok))
