//! An operation: what stands about it in one place, for the router, the check
//! of roles and the OpenAPI document.

use policy::Action;

/// One method at one path.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Its name in the document.
    pub id: &'static str,
    /// Which method.
    pub method: Method,
    /// The path, parameters in braces. Below `/v1/` a slash may follow it, and a last parameter takes the whole rest.
    pub path: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What the caller must be allowed to do; none means that no key is needed.
    pub action: Option<Action>,
    /// The parameters of the query.
    pub query: &'static [Query],
    /// The schema of the body, by name.
    pub body: Option<&'static str>,
    /// What a success looks like.
    pub answer: Answer,
}

/// A parameter of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    /// With this default.
    Limit(u32),
    PageKey,
    Filter,
    MetadataFilter,
    Enabled,
    IncludeHidden,
    Type,
    Category,
    ToolServer,
    AllTypes,
    Thinking,
    Tenant,
    Plugin,
    Ask,
    ForTenant,
    ForAgent,
    /// One that only this operation has, or its neighbours.
    Of(&'static Parameter),
}

/// A parameter of the query, described where it is read. All of them may be left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub form: Form,
    pub text: &'static str,
}

/// What the value of a parameter looks like.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Whole,
    Number,
    Flag,
    /// One of these.
    Words(&'static [&'static str]),
}

/// What a success looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// 200 with this schema.
    Ok(&'static str),
    /// 200 with this schema, or 202 where none is due.
    OkOrAccepted(&'static str),
    /// 201 with this schema.
    Created(&'static str),
    /// 201 with this schema, or a stream.
    CreatedOrStream(&'static str),
    /// 200 with this schema, or a stream.
    OkOrStream(&'static str),
    /// 200 with a stream of frames of this schema.
    Stream(&'static str),
    /// 204.
    Nothing,
    /// 200 with plain text.
    Text,
    /// 200 with a page for people.
    Page,
}

/// The methods that are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}
