//! Small guests in WebAssembly text, one for each behaviour. A guest is a
//! component around one core module; tests write only the body of `invoke` and
//! what else the module needs.

use std::fmt::Write;

/// A guest whose `invoke` has this body. In it `$ok` returns one text part
/// "ok"; memory from 4096 on is free.
pub(crate) fn guest(body: &str) -> Vec<u8> {
    Guest { body, ..Guest::default() }.bytes()
}

/// The parts of a guest that tests vary.
pub(crate) struct Guest<'a> {
    /// The body of `invoke`, which leaves a pointer to its result.
    pub(crate) body: &'a str,
    /// The body of `describe`, before it answers.
    pub(crate) describe: &'a str,
    /// More fields of the core module.
    pub(crate) module: &'a str,
    /// The version of the contract that is exported.
    pub(crate) contract: &'a str,
    /// The tool's description.
    pub(crate) description: &'a str,
    /// Whether the guest has a resource of its own; `$own` makes a handle on it.
    pub(crate) resource: bool,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Self { body: "(call $ok)", describe: "", module: "", contract: "0.1.0", description: "Does one thing.", resource: false }
    }
}

const SCHEMA: &str = r#"{"type":"object","properties":{"n":{"type":"integer","maximum":9}}}"#;

const OWN_TYPE: &str = "(type $own (resource (rep i32))) (core func $own' (canon resource.new $own))";

impl Guest<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        wat::parse_str(self.text()).expect("the guest's text is well formed")
    }

    fn text(&self) -> String {
        let Self { body, describe, module, contract, description, resource } = self;
        let (own_type, own_import, own_export) = match resource {
            true => (OWN_TYPE, "(import \"host\" \"own\" (func $own (param i32) (result i32)))", "(export \"own\" (func $own'))"),
            false => ("", "", ""),
        };
        let schema = SCHEMA.replace('"', "\\\"");
        let (schema_len, description_len) = (SCHEMA.len(), description.len());
        format!(
            r#"(component
  (import "wasi:cli/exit@0.2.6" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (import "wasi:io/poll@0.2.6" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
    (alias outer 1 $pollable (type $p'))
    (export "pollable" (type $p (eq $p')))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wardian:plugin/types@0.1.0" (instance $types
    (type $json' string)
    (export "json" (type $json (eq $json')))
    (type $traits' (flags "read-only" "idempotent" "additive" "closed-world"))
    (export "traits" (type $traits (eq $traits')))
    (type $tool' (record (field "name" string) (field "description" string) (field "input" $json)
      (field "output" (option $json)) (field "traits" $traits) (field "annotations" (option $json))))
    (export "tool" (type $tool (eq $tool')))
    (type $call' (record (field "tool" string) (field "input" $json)))
    (export "call" (type $call (eq $call')))
    (type $blob' (record (field "media-type" string) (field "name" (option string)) (field "bytes" (list u8))))
    (export "blob" (type $blob (eq $blob')))
    (type $other' (record (field "kind" string) (field "body" $json)))
    (export "other" (type $other (eq $other')))
    (type $content' (variant (case "text" string) (case "data" $json) (case "blob" $blob) (case "other" $other)))
    (export "content" (type $content (eq $content')))
    (type $reason' (enum "invalid-input" "not-found" "unauthorized" "refused" "unavailable" "failed"))
    (export "reason" (type $reason (eq $reason')))
    (type $error' (record (field "reason" $reason) (field "message" string) (field "code" (option string)) (field "retry-after" (option u64))))
    (export "tool-error" (type $error (eq $error')))))
  (alias export $types "tool" (type $tool))
  (alias export $types "call" (type $call))
  (alias export $types "content" (type $content))
  (alias export $types "tool-error" (type $error))
  (import "wardian:plugin/log@0.1.0" (instance $log
    (type $level' (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $level')))
    (export "write" (func (param "level" $level) (param "message" string)))))
  (import "wardian:plugin/feedback@0.1.0" (instance $feedback
    (alias outer 1 $content (type $c))
    (export "content" (type $content (eq $c)))
    (export "emit" (func (param "part" $content)))
    (export "cancelled" (func (result bool)))))

  (core module $memory (memory (export "memory") 1))
  (core instance $m (instantiate $memory))
  (core func $exit' (canon lower (func $exit "exit")))
  (core func $now' (canon lower (func $clock "now")))
  (core func $timer' (canon lower (func $clock "subscribe-duration")))
  (core func $block' (canon lower (func $poll "[method]pollable.block")))
  (core func $log' (canon lower (func $log "write") (memory $m "memory")))
  (core func $emit' (canon lower (func $feedback "emit") (memory $m "memory")))
  (core func $cancelled' (canon lower (func $feedback "cancelled")))

  {own_type}
  (core module $guest
    (import "host" "memory" (memory 1))
    (import "host" "exit" (func $exit (param i32)))
    (import "host" "now" (func $now (result i64)))
    (import "host" "timer" (func $timer (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "host" "emit" (func $emit (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "cancelled" (func $cancelled (result i32)))
    {own_import}
    (data (i32.const 64) "ok")
    (data (i32.const 72) "act")
    (data (i32.const 128) "{schema}")
    (data (i32.const 512) "{description}")
    (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    ;; a result with one text part "ok"
    (func $ok (result i32)
      (i32.store8 (i32.const 2048) (i32.const 0))
      (i32.store (i32.const 2056) (i32.const 2080))
      (i32.store (i32.const 2060) (i32.const 1))
      (i32.store8 (i32.const 2080) (i32.const 0))
      (i32.store (i32.const 2084) (i32.const 64))
      (i32.store (i32.const 2088) (i32.const 2))
      (i32.const 2048))
    (func (export "describe") (result i32)
      {describe}
      (i32.store (i32.const 1024) (i32.const 1040))
      (i32.store (i32.const 1028) (i32.const 1))
      (i32.store (i32.const 1040) (i32.const 72))
      (i32.store (i32.const 1044) (i32.const 3))
      (i32.store (i32.const 1048) (i32.const 512))
      (i32.store (i32.const 1052) (i32.const {description_len}))
      (i32.store (i32.const 1056) (i32.const 128))
      (i32.store (i32.const 1060) (i32.const {schema_len}))
      (i32.const 1024))
    {module}
    (func (export "invoke") (param i32 i32 i32 i32) (result i32)
      {body}))
  (core instance $g (instantiate $guest (with "host" (instance
    (export "memory" (memory $m "memory"))
    (export "exit" (func $exit'))
    (export "now" (func $now'))
    (export "timer" (func $timer'))
    (export "block" (func $block'))
    (export "log" (func $log'))
    (export "emit" (func $emit'))
    (export "cancelled" (func $cancelled'))
    {own_export}))))

  (func $describe (result (list $tool))
    (canon lift (core func $g "describe") (memory $m "memory") (realloc (func $g "realloc"))))
  (func $invoke (param "call" $call) (result (result (list $content) (error $error)))
    (canon lift (core func $g "invoke") (memory $m "memory") (realloc (func $g "realloc"))))
  (instance $tools (export "describe" (func $describe)) (export "invoke" (func $invoke)))
  (export "wardian:plugin/tools@{contract}" (instance $tools)))"#
        )
    }
}

/// Returns from `invoke` with one data part that holds `depth` open brackets.
pub(crate) fn nested(depth: u64) -> String {
    format!(
        "(drop (memory.grow (i32.const 10))) (memory.fill (i32.const 65536) (i32.const 91) (i32.const {depth}))
        (drop (call $ok)) (i32.store8 (i32.const 2080) (i32.const 1)) (i32.store (i32.const 2084) (i32.const 65536))
        (i32.store (i32.const 2088) (i32.const {depth})) (i32.const 2048)"
    )
}

/// Returns from `invoke` with one text part of `len` bytes from address 0.
pub(crate) fn text_of(len: u64) -> String {
    format!("(drop (call $ok)) (i32.store (i32.const 2084) (i32.const 0)) (i32.store (i32.const 2088) (i32.const {len})) (i32.const 2048)")
}

/// A component with this many functions, each with so many additions.
pub(crate) fn heavy(functions: usize, additions: usize) -> Vec<u8> {
    let mut module = String::new();
    let body = "(local.set 0 (i32.add (i32.mul (local.get 0) (local.get 1)) (local.get 1)))".repeat(additions);
    for n in 0..functions {
        write!(module, "(func $heavy{n} (param i32 i32) (result i32) {body} (local.get 0))").expect("a string takes everything");
    }
    Guest { module: &module, ..Guest::default() }.bytes()
}
