//! The HTTP plumbing over real sockets.

#[path = "http_api/limits.rs"]
mod limits;
#[path = "http_api/serving.rs"]
mod serving;
#[path = "http_api/stopping.rs"]
mod stopping;
#[path = "http_api/support.rs"]
mod support;
