//! Stories of the REST API: a whole daemon over HTTP, with simulated switches behind it.

#[path = "rest/accounts.rs"]
mod accounts;
#[path = "rest/actions.rs"]
mod actions;
#[path = "rest/arguments.rs"]
mod arguments;
#[path = "rest/audit.rs"]
mod audit;
#[path = "support/rest.rs"]
mod client;
#[path = "rest/comebacks.rs"]
mod comebacks;
#[path = "rest/databases.rs"]
mod databases;
#[path = "rest/dial.rs"]
mod dial;
#[path = "rest/dial_line.rs"]
mod dial_line;
#[path = "rest/documents.rs"]
mod documents;
#[path = "rest/envelope.rs"]
mod envelope;
#[path = "rest/event_stream.rs"]
mod event_stream;
#[path = "rest/house.rs"]
mod house;
#[path = "rest/lists.rs"]
mod lists;
#[path = "rest/once.rs"]
mod once;
#[path = "rest/origins.rs"]
mod origins;
#[path = "rest/outages.rs"]
mod outages;
#[path = "rest/owners.rs"]
mod owners;
#[path = "rest/pace.rs"]
mod pace;
#[path = "rest/picture.rs"]
mod picture;
#[path = "rest/playing.rs"]
mod playing;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "rest/realtime.rs"]
mod realtime;
#[path = "rest/recording.rs"]
mod recording;
#[path = "rest/relate.rs"]
mod relate;
#[path = "rest/replies.rs"]
mod replies;
#[path = "rest/stale.rs"]
mod stale;
#[path = "rest/subscribers.rs"]
mod subscribers;
mod support;
#[path = "rest/throttle.rs"]
mod throttle;
#[path = "rest/tokens.rs"]
mod tokens;
#[path = "rest/two_nodes.rs"]
mod two_nodes;
#[path = "rest/websocket.rs"]
mod websocket;
