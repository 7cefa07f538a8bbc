//! `GET /readyz`: whether the daemon can do its work; 503 and why, if it cannot.
//!
//! Ready means that the database answers and that each node is either followed or known to be out of
//! reach: one dead switch does not take the others' conferences away. A broker that is away is told and changes nothing:
//! events wait for it.

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};

use super::{Caller, Context};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::registry::NodeCondition;

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![Route::new(Method::GET, "/readyz", "readyz", Access::Open, readyz)]
}

/// Whether there is a connection to the broker; null if none is configured.
fn broker(context: &Context) -> Option<&'static str> {
    let published = context.sources.get()?.published.as_ref()?;
    Some(if published.figures().is_connected { "connected" } else { "away" })
}

async fn readyz(context: Arc<Context>, _caller: Caller, _request: Request) -> Result<Response, ApiError> {
    let datastore = context.store.check().await;
    context.standing.database_answered(datastore.is_ok());
    let conditions = context.registry.nodes();
    let mut nodes = Map::new();
    let mut reasons = Vec::new();
    for (name, node) in &*context.switchboard.nodes() {
        let condition = conditions.get(name).copied().unwrap_or_default();
        if condition == NodeCondition::Unlisted && node.status().trouble.is_none() {
            reasons.push(format!("node {name}: is not listed yet"));
        }
        nodes.insert(name.to_string(), Value::from(super::nodes::word(condition)));
    }
    let word = if datastore.is_ok() { "ok" } else { "unavailable" };
    if datastore.is_err() {
        reasons.push("database: does not answer".to_owned());
    }
    let broker = broker(&context);
    if reasons.is_empty() {
        return Response::ok(&json!({ "ready": true, "datastore": word, "broker": broker, "nodes": nodes }));
    }
    let refusal = match datastore {
        Ok(()) => ApiError::switch_unavailable(Map::new()),
        Err(error) => error.into(),
    };
    Err(refusal
        .with_data("ready", false)
        .with_data("reasons", reasons)
        .with_data("datastore", word)
        .with_data("broker", broker)
        .with_data("nodes", nodes)
        .retry_after(2))
}
