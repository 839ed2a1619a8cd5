//! The schemas of the document, and an example for each body.

use serde_json::{Map, Value, json};

use crate::agents_v2::identity;
use crate::agents_v2::sessions::TTI_MINUTES;
use crate::{agui, cloudbase, mcp, openai};

/// All schemas by name.
pub(super) fn all() -> Map<String, Value> {
    [
        shared(),
        oauth(),
        agents(),
        identity::schemas(),
        secrets(),
        sessions(),
        events(),
        tools(),
        cloudbase::schemas::all(),
        cloudbase::schemas::bots::all(),
        agui::schemas::all(),
        openai::schemas(),
        mcp::schemas(),
        operator(),
    ]
    .into_iter()
    .flat_map(members)
    .collect()
}

/// A whole example of a schema, where it is the body of a request.
pub(super) fn example(schema: &str) -> Option<Value> {
    Some(match schema {
        "CreateAgentRequest" => json!({
            "key": "agt_customer_support",
            "name": "Customer support",
            "model": {"name": "default"},
            "tool_configurations": {
                "knowledge_search": {"type": "dynamic_vectara", "tool_id": "tol_knowledge_knowledge_base_search"},
            },
            "first_step": {
                "name": "first_step",
                "instructions": [{"type": "inline", "name": "role", "template": "Answer from the knowledge base.", "template_type": "text"}],
                "output_parser": {"type": "default"},
            },
        }),
        "UpdateAgentRequest" => json!({"description": "Answers questions about widgets.", "tool_configurations": {"notes": null}}),
        "CreateAgentSessionRequest" => json!({"name": "Widget trouble", "metadata": {"customer": "4711"}}),
        "UpdateAgentSessionRequest" => json!({"enabled": false}),
        "UpdateAgentIdentityRequest" => json!({"mode": "manual", "api_roles": ["agent_viewer"]}),
        "Secrets" => json!({"secrets": {"weather-token": "Bearer wt-4f2a0c1be0d9"}}),
        "UpdateSecrets" => json!({"secrets": {"weather-token": "Bearer wt-4f2a0c1be0d9", "old-token": null}}),
        "CreateInputRequest" => json!({
            "type": "input_message",
            "messages": [{"type": "text", "content": "I'm having trouble with my widget installation."}],
            "stream_response": false,
        }),
        "SendMessageRequest" => cloudbase::schemas::example(),
        "RunAgentInput" => agui::schemas::example(),
        "TokenRequest" => json!({
            "grant_type": "client_credentials", "client_id": "019a8f3e5c7d7b1e9f204a6c8e0b2d41", "client_secret": "wrd_…",
        }),
        "CreateToolRequest" => json!({
            "type": "client",
            "name": "get_location",
            "description": "Where the user is now.",
            "input_schema": {"type": "object", "properties": {"accuracy_m": {"type": "integer"}}},
        }),
        "UpdateToolRequest" => json!({"type": "client", "enabled": false}),
        "CreateKeyRequest" => json!({"tenant": "default", "role": "agent_user", "agents": ["agt_customer_support"], "label": "web shop"}),
        "CreateTenantRequest" => json!({"name": "acme"}),
        "PluginDigests" => {
            let digest = format!("sha256:{}", "0".repeat(64));
            json!({"component": digest, "tools_digest": digest, "requests_digest": digest})
        }
        "DecideApprovalRequest" => json!({"decision": "reject", "reason": "not on a Friday"}),
        "CreateGrantRequest" => json!({
            "plugin": "web",
            "grant": {"http": [{"host": "api.example.com", "methods": ["GET"], "paths": ["/v2/*"]}]},
            "for": "10m",
        }),
        other => return cloudbase::schemas::bots::example(other).or_else(|| openai::example(other)).or_else(|| mcp::example(other)),
    })
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with these members, of which `required` are always there. Others may come at any time.
fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn list_of(plural: &str, item: &str) -> Value {
    object(&[plural, "metadata"], json!({ plural: {"type": "array", "items": refer(item)}, "metadata": refer("ListMetadata") }))
}

fn one_page_of(plural: &str, item: &str) -> Value {
    object(&[plural], json!({ plural: {"type": "array", "items": refer(item)} }))
}

fn text() -> Value {
    json!({"type": "string"})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn flag(default: bool) -> Value {
    json!({"type": "boolean", "default": default})
}

fn shared() -> Value {
    json!({
        "Object": {"type": "object"},
        "Key": {"type": "string", "pattern": "^[0-9a-zA-Z_-]+$", "minLength": 1, "maxLength": 50},
        "Metadata": {"type": "object", "description": "The client's own; at most 64 KiB of JSON."},
        "ListMetadata": object(&[], json!({
            "page_key": {"type": "string", "description": "There only while more follows."},
            "total_count": {"type": "integer", "minimum": 0, "description": "On events: how many there are now."},
        })),
        "Error": object(&["messages", "request_id", "code"], json!({
            "field_errors": {"type": "object", "additionalProperties": {"type": "string"}, "description": "On 400: what is wrong, by field."},
            "id": {"type": "string", "description": "On 404: what does not exist."},
            "agents": {"type": "array", "items": refer("Key"), "description": "On 409 tool_in_use: the agents that bind the tool, at most 100."},
            "messages": {"type": "array", "items": text()},
            "request_id": text(),
            "code": {"type": "string", "enum": crate::errors::Code::words()},
            "error": {"type": "string", "description": "At the token addresses: the word of RFC 6749."},
            "error_description": {"type": "string", "description": "At the token addresses: the message again, in plain ASCII."},
        })),
        "BotError": object(&["code", "message", "requestId", "error"], json!({
            "code": text(),
            "message": text(),
            "requestId": text(),
            "error": object(&["code", "message"], json!({"code": text(), "message": text()})),
        })),
        "OpenAiError": object(&["error"], json!({
            "error": object(&["message", "type", "param", "code"], json!({
                "message": text(),
                "type": text(),
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            })),
        })),
    })
}

fn oauth() -> Value {
    json!({
        "TokenRequest": object(&[], json!({
            "grant_type": {"const": "client_credentials", "description": "Required in a form."},
            "client_id": {"type": "string", "description": "The id of an API key, here or as HTTP Basic."},
            "client_secret": {"type": "string", "description": "The API key itself, here or as HTTP Basic."},
        })),
        "AccessToken": object(&["access_token", "token_type", "expires_in"], json!({
            "access_token": {"type": "string", "description": "Shown as `Authorization: Bearer`; ends with its key."},
            "token_type": {"const": "Bearer"},
            "expires_in": {"const": crate::token::LIFE.as_secs(), "description": "Seconds."},
        })),
    })
}

fn agents() -> Value {
    let definition = json!({
        "name": {"type": "string", "minLength": 1, "maxLength": 50},
        "description": {"type": "string", "maxLength": 5000},
        "tool_configurations": {
            "type": "object", "maxProperties": 128, "additionalProperties": refer("ToolConfiguration"),
            "description": "The tools by the names under which the model sees them.",
        },
        "model": refer("AgentModel"),
        "first_step": refer("FirstAgentStep"),
        "first_step_name": {"type": "string", "minLength": 1, "maxLength": 255},
        "steps": {"type": "object", "additionalProperties": refer("AgentStep"), "description": "Holds the entry step alone in this version."},
        "metadata": refer("Metadata"),
        "enabled": flag(true),
        "compaction": refer("CompactionConfig"),
    });
    let mut request = definition.clone();
    request["key"] = refer("Key");
    let mut answer = request.clone();
    (answer["created_at"], answer["updated_at"]) = (time(), time());
    json!({
        "CreateAgentRequest": object(&["name", "model"], request),
        "UpdateAgentRequest": {
            "type": "object",
            "description": "Members as on creation, all optional. Absent stays, null clears; entries of tool_configurations and steps that are null are removed.",
        },
        "Agent": object(&["key", "name", "tool_configurations", "model", "first_step", "enabled", "created_at", "updated_at"], answer),
        "ListAgentsResponse": list_of("agents", "Agent"),
        "CompactionConfig": object(&[], json!({
            "enabled": flag(true),
            "threshold_percent": {"type": "integer", "minimum": 50, "maximum": 95, "default": 80, "description": "Of the model's window."},
            "keep_recent_inputs": {"type": "integer", "minimum": 1, "default": 1, "description": "Inputs that stay word for word, with all that followed each."},
            "compaction_message": {"type": "string", "maxLength": 10000, "description": "Added to what the model is told when it summarises."},
            "tool_event_policy": {"enum": ["exclude", "include_outputs", "include_all"], "default": "include_outputs"},
        })),
        "AgentModel": object(&["name"], json!({
            "name": {"type": "string", "description": "One of GET /v2/llms."},
            "parameters": {"type": "object", "description": "Passed on to the provider."},
            "retry_configuration": object(&[], json!({
                "enabled": flag(true),
                "max_retries": {"type": "integer", "minimum": 0, "maximum": 10, "default": 3},
                "initial_backoff_ms": {"type": "integer", "minimum": 100, "maximum": 60000, "default": 1000},
                "max_backoff_ms": {"type": "integer", "minimum": 1000, "maximum": 300_000, "default": 30000},
                "backoff_factor": {"type": "number", "minimum": 1, "maximum": 10, "default": 2},
            })),
        })),
        "ToolConfiguration": object(&["type", "tool_id"], json!({
            "type": {
                "enum": ["dynamic_vectara", "client"],
                "description": "Of a tool that the client runs either form is taken; with `all_types` it is shown as `client`.",
            },
            "tool_id": {"type": "string", "pattern": "^tol_"},
            "argument_override": {
                "type": "object", "maxProperties": 64,
                "description": "Arguments that the model neither sees nor chooses, by name or dotted path; `{\"$ref\": \"session.metadata.x\"}` looks a value up.",
            },
        })),
        "OutputParser": object(&["type"], json!({
            "type": {"enum": ["default", "structured"], "default": "default"},
            "json_schema": object(&["name", "schema"], json!({
                "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
                "description": text(),
                "strict": flag(false),
                "schema": {"type": "object", "description": "JSON Schema (draft 2020-12) of an object."},
            })),
        })),
        "AgentStep": step(false),
        "FirstAgentStep": step(true),
        "Instruction": object(&["name", "template"], json!({
            "type": {"const": "inline"},
            "name": {"type": "string", "minLength": 1, "maxLength": 50},
            "description": text(),
            "template": {"type": "string", "description": "In a velocity template, variables and #foreach, #if; docs/api.md lists them."},
            "template_type": {"enum": ["text", "velocity"], "default": "velocity"},
            "metadata": refer("Metadata"),
            "enabled": flag(true),
        })),
    })
}

fn step(named: bool) -> Value {
    let mut properties = json!({
        "instructions": {"type": "array", "maxItems": 64, "items": refer("Instruction")},
        "output_parser": refer("OutputParser"),
        "allowed_tools": {"type": "array", "items": text(), "description": "Names of tool_configurations; absent means all."},
    });
    if named {
        properties["name"] = json!({"type": "string", "minLength": 1, "maxLength": 255, "default": "first_step"});
    }
    object(&[], properties)
}

fn secrets() -> Value {
    let of = |value: Value| {
        let names = json!({"pattern": "^[a-zA-Z0-9_-]{1,64}$"});
        let secrets = json!({"type": "object", "maxProperties": 64, "propertyNames": names, "additionalProperties": value});
        object(&["secrets"], json!({"secrets": secrets}))
    };
    json!({
        "Secrets": of(json!({"type": "string", "description": "In answers always `****`."})),
        "UpdateSecrets": of(json!({"type": ["string", "null"], "description": "Null deletes."})),
    })
}

fn sessions() -> Value {
    let definition = json!({
        "key": refer("Key"),
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": {"type": "string", "maxLength": 5000},
        "metadata": refer("Metadata"),
        "enabled": flag(true),
        "secrets": {
            "type": "object", "maxProperties": 64, "additionalProperties": {"type": ["string", "null"]},
            "description": "Merged with those that are there; null deletes. Shown as `****`.",
        },
        "tti_minutes": {
            "type": "integer", "minimum": 0, "maximum": TTI_MINUTES, "default": 0,
            "description": "Minutes without events after which the session is deleted; 0 means never.",
        },
    });
    let mut answer = definition.clone();
    answer["agent_key"] = refer("Key");
    answer["current_step_name"] = json!({"type": ["string", "null"]});
    answer["status"] = json!({"enum": ["unstarted", "running", "stopped"]});
    answer["created_at"] = time();
    answer["session_context_usage"] = refer("SessionContextUsage");
    answer["effective_compaction"] = refer("CompactionConfig");
    let mut create = definition.clone();
    create["from_session"] = object(
        &["session_key"],
        json!({
            "agent_key": refer("Key"), "session_key": refer("Key"),
            "include_up_to_event_id": {"type": "string", "description": "The last event that is copied."},
            "compact_up_to_event_id": {"type": "string", "description": "The last event that a summary takes the place of."},
        }),
    );
    json!({
        "CreateAgentSessionRequest": object(&[], create),
        "UpdateAgentSessionRequest": object(&[], definition),
        "AgentSession": object(&["key", "agent_key", "name", "enabled", "created_at"], answer),
        "ListAgentSessionsResponse": list_of("sessions", "AgentSession"),
        "SessionContextUsage": object(&[], json!({
            "input_tokens": object(&[], json!({"count": {"type": "integer"}, "cached_tokens": {"type": "integer"}})),
            "output_tokens": object(&[], json!({"count": {"type": "integer"}, "reasoning_tokens": {"type": "integer"}})),
            "total_tokens": {"type": "integer"},
            "model_context_window": {"type": "integer"},
        })),
    })
}

/// What the receipt of a call shows; members that do not apply to a call are absent.
fn receipt() -> Value {
    object(
        &["end", "duration_ms", "cpu_ms", "peak_memory_bytes"],
        json!({
            "end": text(),
            "component": text(),
            "policy": text(),
            "duration_ms": {"type": "number"},
            "cpu_ms": {"type": "number"},
            "peak_memory_bytes": {"type": "integer"},
            "fuel": {"type": "integer"},
        }),
    )
}

fn events() -> Value {
    let stored = [
        ("input_message", json!({"messages": {"type": "array", "items": refer("TextInput")}})),
        ("thinking", json!({"content": text()})),
        ("tool_input", call(json!({"tool_input": {"type": "object"}, "argument_override_paths": {"type": "array", "items": text()}}))),
        (
            "tool_output",
            call(json!({
                "tool_output": {"type": "object"}, "error": {"type": "boolean"}, "receipt": receipt(),
                "resolved_argument_overrides": {"type": "object", "description": "What the agent set, secrets as `****`."},
            })),
        ),
        ("agent_output", json!({"content": text()})),
        (
            "compaction",
            json!({
                "turns_compacted": {"type": "integer"}, "events_compacted": {"type": "integer"}, "summary_key": text(), "summary_text": text(),
                "compacted_up_to_event_id": text(),
            }),
        ),
        ("structured_output", json!({"schema_name": text(), "content": {"description": "JSON that fits the schema."}})),
        ("client_tool_pending", json!({"pending_calls": {"type": "array", "items": refer("ClientToolPendingCall")}})),
        ("context_limit_exceeded", json!({"message": text(), "context_limit": {"type": "integer"}, "actual_tokens": {"type": "integer"}})),
        ("session_interrupted", json!({})),
    ];
    let frames = [
        ("streaming_thinking", json!({"content": text(), "created_at": time()})),
        ("streaming_thinking_end", json!({"created_at": time()})),
        ("streaming_agent_output", json!({"content": text(), "created_at": time()})),
        ("streaming_agent_output_end", json!({"event_id": text(), "created_at": time()})),
        ("context_consumed", json!({"session_context_usage": refer("SessionContextUsage"), "created_at": time()})),
        ("compaction_started", json!({"id": text(), "session_key": text(), "created_at": time()})),
        ("error", json!({"messages": {"type": "array", "items": text()}})),
        ("end", json!({})),
    ];
    let mut frame_variants: Vec<Value> = frames.into_iter().map(|(kind, properties)| variant(kind, &["type"], properties)).collect();
    frame_variants.insert(0, refer("AgentEvent"));
    let common = &["id", "session_key", "created_at", "type"];
    let variants = stored.into_iter().map(|(kind, mut properties)| {
        (properties["id"], properties["session_key"], properties["created_at"]) =
            (json!({"type": "string", "pattern": "^aev_"}), refer("Key"), time());
        variant(kind, common, properties)
    });
    json!({
        "TextInput": object(&["content"], json!({"type": {"const": "text", "default": "text"}, "content": {"type": "string", "minLength": 1}})),
        "CreateInputRequest": object(&[], json!({
            "type": {"enum": ["input_message", "interrupt", "compact", "tool_approval", "tool_output"], "default": "input_message"},
            "messages": {
                "type": "array", "maxItems": 256, "items": refer("TextInput"),
                "description": "Of an input_message: at least one, unless it only rejoins with `since`.",
            },
            "since": {
                "type": "string", "maxLength": 64,
                "description": "Of an input_message: `start` or an event's id. It waits while a turn runs, and its answer begins after that event.",
            },
            "behavior": {"enum": ["steer", "follow_up"], "default": "follow_up", "description": "With since: it enters the turn that runs, or follows it."},
            "compact_up_to_event_id": {"type": "string", "maxLength": 64, "description": "Of a compact: the last event that the summary stands for."},
            "compaction_message": {"type": "string", "minLength": 1, "maxLength": 10_000, "description": "Of a compact: for the model that summarises."},
            "decisions": {"type": "array", "minItems": 1, "maxItems": 1000, "items": refer("ToolApproval"), "description": "Of a tool_approval."},
            "tool_outputs": {"type": "array", "minItems": 1, "maxItems": 1000, "items": refer("ClientToolOutput"), "description": "Of a tool_output."},
            "stream_response": flag(false),
        })),
        "ClientToolOutput": object(&["event_id"], json!({
            "type": {"enum": ["success", "error"], "description": "Absent: told from the other members."},
            "event_id": {"type": "string", "pattern": "^aev_", "description": "The call's `tool_input`."},
            "output": {"type": "object", "description": "Of a success; at most 256 KiB of JSON."},
            "error": {"type": ["string", "object"], "description": "Of an error; at most 256 KiB of JSON."},
        })),
        "ClientToolPendingCall": object(&["event_id", "tool_configuration_name", "tool_name", "arguments"], call(json!({
            "event_id": {"type": "string", "pattern": "^aev_", "description": "The call's `tool_input`."}, "arguments": {"type": "object"},
        }))),
        "ListOutstandingClientToolCallsResponse": one_page_of("client_tool_calls", "ClientToolPendingCall"),
        "ToolApproval": object(&["event_id", "decision"], approval_of(json!({
            "event_id": {"type": "string", "pattern": "^aev_", "description": "The call's `tool_input`."},
        }))),
        "OutstandingApproval": outstanding_approval(json!({})),
        "ListOutstandingApprovalsResponse": one_page_of("approvals", "OutstandingApproval"),
        "AgentEvent": {"oneOf": variants.collect::<Vec<_>>()},
        "AgentStreamedResponse": {"oneOf": frame_variants},
        "AgentResponse": object(&["events", "session_key"], json!({
            "events": {"type": "array", "items": refer("AgentEvent")}, "session_key": refer("Key"),
        })),
        "ListAgentEventsResponse": list_of("events", "AgentEvent"),
    })
}

/// A decision about one call.
fn approval_of(mut properties: Value) -> Value {
    properties["decision"] = json!({"enum": ["approve", "reject"]});
    properties["input"] = json!({"type": "object", "description": "With approve: arguments in the place of the model's."});
    properties["reason"] = json!({"type": "string", "minLength": 1, "maxLength": 1000, "description": "With reject: why, for the model."});
    properties
}

/// A call that waits.
fn outstanding_approval(mut properties: Value) -> Value {
    for member in ["event_id", "tool_configuration_name", "tool_name"] {
        properties[member] = text();
    }
    properties["arguments"] = json!({"type": "object"});
    properties["approver"] =
        json!({"enum": ["client", "operator"], "description": "Whose agreement it needs; an operator's counts for both."});
    (properties["asked_at"], properties["expires_at"]) = (time(), time());
    let required: Vec<String> = properties.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn variant(kind: &str, required: &[&str], mut properties: Value) -> Value {
    properties["type"] = json!({"const": kind});
    object(required, properties)
}

fn call(mut properties: Value) -> Value {
    for member in ["tool_call_id", "tool_configuration", "tool_configuration_name", "tool_name"] {
        properties[member] = text();
    }
    properties
}

fn tools() -> Value {
    json!({
        "Tool": object(&["type", "id", "name", "description", "enabled", "input_schema"], json!({
            "type": {"enum": ["dynamic_vectara", "client"], "description": "`client` only with `all_types`, or where the list was asked for it."},
            "id": {"type": "string", "pattern": "^tol_"},
            "name": text(),
            "title": text(),
            "description": text(),
            "enabled": {"type": "boolean", "description": "False while its plugin is not in service."},
            "category": {"enum": ["plugin", "client"]},
            "created_at": time(),
            "updated_at": time(),
            "input_schema": {"type": "object"},
            "output_schema": {"type": "object"},
            "annotations": object(&[], json!({
                "read_only_hint": {"type": "boolean"}, "destructive_hint": {"type": "boolean"},
                "idempotent_hint": {"type": "boolean"}, "open_world_hint": {"type": "boolean"},
            })),
        })),
        "CreateToolRequest": object(&["name", "description"], client_tool(json!({
            "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$", "minLength": 1, "maxLength": 50, "description": "Unique; it stays."},
        }))),
        "UpdateToolRequest": object(&[], changed_tool()),
        "ListToolsResponse": list_of("tools", "Tool"),
        "Llm": object(&["id", "name", "type"], json!({
            "id": text(), "name": text(), "type": text(), "description": text(), "model": text(), "enabled": {"type": "boolean"},
            "default": {"type": "boolean"}, "ownership": text(), "capabilities": {"type": "object"},
        })),
        "ListLlmsResponse": list_of("llms", "Llm"),
    })
}

/// What a client says about such a tool later.
fn changed_tool() -> Value {
    let mut properties = client_tool(json!({}));
    properties["type"] = json!({
        "enum": ["client", "dynamic_vectara", "lambda", "mcp"],
        "description": "The tool is one that the client runs, by whichever name; `lambda` and `mcp` are the words of older clients.",
    });
    properties
}

/// What a client says about a tool that it runs.
fn client_tool(mut properties: Value) -> Value {
    properties["type"] = json!({"const": "client", "default": "client"});
    properties["title"] = json!({"type": ["string", "null"], "minLength": 1, "maxLength": 128});
    properties["description"] = json!({"type": "string", "minLength": 1, "maxLength": 5000, "description": "What the model reads."});
    properties["input_schema"] = json!({"type": "object", "description": "JSON Schema 2020-12 of the arguments; absent means any object."});
    properties["output_schema"] =
        json!({"type": ["object", "null"], "description": "JSON Schema 2020-12 of the outputs; absent means any object."});
    properties["enabled"] = flag(true);
    properties
}

fn operator() -> Value {
    let role = json!({"enum": ["agent_user", "agent_viewer", "agent_developer", "agent_administrator", "owner"]});
    let key = json!({
        "id": text(), "tenant": text(), "role": role, "agents": {"type": ["array", "null"], "items": refer("Key")},
        "subject": {"type": ["string", "null"]}, "label": {"type": ["string", "null"]}, "created_at": time(),
    });
    let mut created = key.clone();
    created["key"] = json!({"type": "string", "description": "The key itself; shown this once."});
    let digest = json!({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"});
    let digests = json!({"component": digest, "tools_digest": digest, "requests_digest": digest});
    let (mut accepted, mut found) = (digests.clone(), digests.clone());
    (accepted["version"], accepted["at"], accepted["by"], found["version"]) = (text(), time(), text(), text());
    let grant = json!({
        "id": text(), "plugin": text(), "tenant": {"type": ["string", "null"]}, "agent": {"type": ["string", "null"]},
        "grant": {"type": "object"}, "since": time(), "until": time(), "by": text(),
    });
    let mut lent = grant.clone();
    lent["warnings"] = json!({"type": "array", "items": text()});
    json!({
        "CreateKeyRequest": object(&["role"], json!({
            "tenant": {"type": "string", "default": "default"}, "role": role, "agents": {"type": "array", "maxItems": 100, "items": refer("Key")},
            "subject": {"type": "string", "description": "The end user that the key stands for."}, "label": text(),
        })),
        "ApiKey": object(&["id", "tenant", "role", "created_at"], key),
        "CreatedKey": object(&["id", "key", "tenant", "role", "created_at"], created),
        "ListKeysResponse": one_page_of("keys", "ApiKey"),
        "CreateTenantRequest": object(&["name"], json!({"name": refer("Key")})),
        "Tenant": object(&["id", "name"], json!({"id": text(), "name": text()})),
        "ListTenantsResponse": one_page_of("tenants", "Tenant"),
        "Plugin": object(&["name", "file", "shape", "state", "tools", "grants", "requests"], json!({
            "name": text(), "file": text(), "file_modified_ms": {"type": ["integer", "null"]}, "version": {"type": ["string", "null"]}, "component": {"type": ["string", "null"]},
            "tools_digest": {"type": ["string", "null"]}, "state": {"enum": ["preparing", "ready", "stale", "refused", "changed"]}, "reason": text(),
            "tools": {"type": "array", "items": text()}, "grants": {"type": "array", "items": text()}, "requests": {"type": "array", "items": text()},
            "asks": {"type": "array", "items": {"type": "array", "items": text()}},
            "shape": {"enum": ["native", "functions", "command"]}, "skipped": {"type": "array", "items": text()},
        })),
        "OpenApproval": outstanding_approval(json!({"tenant": text(), "agent_key": refer("Key"), "session_key": refer("Key")})),
        "ListApprovalsResponse": list_of("approvals", "OpenApproval"),
        "DecideApprovalRequest": object(&["decision"], approval_of(json!({}))),
        "DecidedApproval": object(&["event_id", "decision", "agent_key", "session_key"], json!({
            "event_id": text(), "decision": {"enum": ["approve", "reject"]}, "agent_key": refer("Key"), "session_key": refer("Key"),
        })),
        "PluginDigests": object(&["component", "tools_digest", "requests_digest"], digests.clone()),
        "PluginChanges": object(&["name", "state", "accepted", "found", "changes"], json!({
            "name": text(), "state": {"enum": ["preparing", "ready", "stale", "refused", "changed"]}, "reason": text(),
            "accepted": {"type": ["object", "null"], "properties": accepted, "description": "What was accepted last; null where nothing was."},
            "found": {"type": ["object", "null"], "properties": found, "description": "What lies there; null where it cannot be used."},
            "changes": {"type": "array", "items": object(&["what", "before", "after"], json!({
                "what": text(), "before": {"type": ["string", "null"]}, "after": {"type": ["string", "null"]},
            }))},
        })),
        "ListPluginsResponse": one_page_of("plugins", "Plugin"),
        "CreateGrantRequest": object(&["plugin", "grant", "for"], json!({
            "plugin": text(), "for": {"type": "string", "description": "A span of time such as 10m, at most 24h."},
            "grant": {"type": "object", "description": "As a [plugin.NAME] entry: http, files, secrets, config, store, cache."},
            "tenant": {"type": ["string", "null"]}, "agent": {"type": ["string", "null"]},
        })),
        "Grant": object(&["id", "plugin", "grant", "since", "until", "by"], grant),
        "CreatedGrant": object(&["id", "plugin", "grant", "since", "until", "by", "warnings"], lent),
        "ListGrantsResponse": one_page_of("grants", "Grant"),
    })
}
