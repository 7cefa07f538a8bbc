//! convened: the conference controller beside FreeSWITCH.
//!
//! One daemon follows one or many FreeSWITCH nodes over the Event Socket, knows who is in which
//! conference, does what it is asked over REST and says what really happened. `main.rs` is thin;
//! each module here is one room of the house:
//!
//! ```text
//! FreeSWITCH ──events──▶ esl ──▶ node ──▶ registry ──▶ hub ──▶ websocket, server-sent events, AMQP
//!      ▲                                   │ ▲
//!      └──commands── node ◀── switchboard ◀── api          (reads only)
//!                                              │
//!                                          documents ── store (SQLite, PostgreSQL)
//! ```
//!
//! Beside the house stand `client` and `people`: the commands for people, which only know the API.

pub mod actions;
pub mod amqp;
pub mod api;
pub mod app;
pub mod auth;
pub mod callin;
pub mod cli;
pub mod client;
pub mod config;
pub mod documents;
pub mod esl;
pub mod hub;
mod json;
pub mod model;
pub mod node;
pub mod peer;
pub mod people;
pub mod pulse;
pub mod registry;
pub mod secret;
pub mod sim;
pub mod store;
pub mod switchboard;
pub mod telemetry;
pub mod tls;
mod together;
