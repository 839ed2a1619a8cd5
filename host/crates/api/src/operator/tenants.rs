//! Tenants: parties that share the server and see nothing of each other.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use audit::Act;
use policy::Action;

use crate::App;
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::errors::Result;
use crate::fields::Fields;
use crate::operation::{Answer, Method, Operation};
use crate::operator::record;
use crate::{naming, reply};

pub(crate) static CREATE: Operation = Operation {
    id: "createTenant",
    method: Method::Post,
    path: "/operator/v1/tenants",
    summary: "Make a tenant",
    action: Some(Action::Operate),
    query: &[],
    body: Some("CreateTenantRequest"),
    answer: Answer::Created("Tenant"),
};

pub(crate) async fn create(State(app): State<Arc<App>>, caller: Caller, JsonBody(body): JsonBody) -> Result<Response> {
    let fields = Fields::of_body(&body);
    let name = fields.required("name", fields.text("name", 1..=usize::MAX)?)?;
    let tenant = app.keyring.create_tenant(naming::checked(name, "name")?).await?;
    record(&app, &caller, Act::TenantCreated, &tenant.id.hex(), &tenant.name).await?;
    Ok(reply::json(StatusCode::CREATED, &json!(tenant)))
}

pub(crate) static LIST: Operation = Operation {
    id: "listTenants",
    method: Method::Get,
    path: "/operator/v1/tenants",
    summary: "List tenants; all on one page",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Ok("ListTenantsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, _: Caller) -> Result<Response> {
    Ok(reply::json(StatusCode::OK, &json!({ "tenants": app.keyring.tenants()? })))
}
