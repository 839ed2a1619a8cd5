;; The component around every command in these tests. The marked line is replaced
;; by the body of `run`. Memory: 32 what imports answer, 1024 texts, from 4096 what the
;; host hands over.
(component
  (import "wasi:io/error@0.2.6" (instance $io (export "error" (type (sub resource)))))
  (alias export $io "error" (type $error))
  (import "wasi:io/streams@0.2.6" (instance $streams
    (alias outer 1 $error (type $e'))
    (export "error" (type $e (eq $e')))
    (export "input-stream" (type $i (sub resource)))
    (export "output-stream" (type $o (sub resource)))
    (type $stream-error' (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $i)) (param "len" u64) (result (result (list u8) (error $stream-error)))))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $o)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "input-stream" (type $input))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdin@0.2.6" (instance $stdin
    (alias outer 1 $input (type $i')) (export "input-stream" (type $i (eq $i'))) (export "get-stdin" (func (result (own $i))))))
  (import "wasi:cli/stdout@0.2.6" (instance $stdout
    (alias outer 1 $output (type $o')) (export "output-stream" (type $o (eq $o'))) (export "get-stdout" (func (result (own $o))))))
  (import "wasi:cli/stderr@0.2.6" (instance $stderr
    (alias outer 1 $output (type $o')) (export "output-stream" (type $o (eq $o'))) (export "get-stderr" (func (result (own $o))))))
  (import "wasi:cli/environment@0.2.6" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:cli/exit@0.2.12" (instance $exit
    (export "exit" (func (param "status" (result))))
    (export "exit-with-code" (func (param "status-code" u8)))))
  (core module $memory
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $m (instantiate $memory))
  (core func $read' (canon lower (func $streams "[method]input-stream.blocking-read") (memory $m "memory") (realloc (func $m "realloc"))))
  (core func $print' (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $m "memory")))
  (core func $in' (canon lower (func $stdin "get-stdin")))
  (core func $out' (canon lower (func $stdout "get-stdout")))
  (core func $err' (canon lower (func $stderr "get-stderr")))
  (core func $arguments' (canon lower (func $environment "get-arguments") (memory $m "memory") (realloc (func $m "realloc"))))
  (core func $environment' (canon lower (func $environment "get-environment") (memory $m "memory") (realloc (func $m "realloc"))))
  (core func $exit' (canon lower (func $exit "exit")))
  (core func $status' (canon lower (func $exit "exit-with-code")))
  (core module $main
    (import "host" "memory" (memory 4))
    (import "host" "read" (func $read' (param i32 i64 i32)))
    (import "host" "print" (func $print' (param i32 i32 i32 i32)))
    (import "host" "in" (func $in (result i32)))
    (import "host" "out" (func $out (result i32)))
    (import "host" "err" (func $err (result i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (import "host" "environment" (func $environment (param i32)))
    (import "host" "exit" (func $exit (param i32)))
    (import "host" "status" (func $status (param i32)))
    (data (i32.const 1024) "{\22a\22: 1}\0aplain text\0a\ff\00\ffwhy it failed\0a")
    (func $print (param $to i32) (param $at i32) (param $len i32)
      (call $print' (local.get $to) (local.get $at) (local.get $len) (i32.const 32)))
    ;; -1 at the end of the input; memory 36 points to the bytes
    (func $read (param $from i32) (result i32)
      (call $read' (local.get $from) (i64.const 65536) (i32.const 32))
      (if (result i32) (i32.load8_u (i32.const 32)) (then (i32.const -1)) (else (i32.load (i32.const 40)))))
    (func (export "run") (result i32)
      ;; run
      ))
  (core instance $i (instantiate $main (with "host" (instance
    (export "memory" (memory $m "memory")) (export "read" (func $read')) (export "print" (func $print'))
    (export "in" (func $in')) (export "out" (func $out')) (export "err" (func $err'))
    (export "arguments" (func $arguments')) (export "environment" (func $environment'))
    (export "exit" (func $exit')) (export "status" (func $status'))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.6" (instance $exported)))
