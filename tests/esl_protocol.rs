//! The Event Socket as bytes: recordings, hostile bytes and any bytes.

#[path = "esl/capacity.rs"]
mod capacity;
#[path = "esl/commands.rs"]
mod commands;
#[path = "esl/events.rs"]
mod events;
#[path = "esl/frames.rs"]
mod frames;
#[path = "esl/fuzzing.rs"]
mod fuzzing;
#[path = "esl/hostile.rs"]
mod hostile;
#[path = "esl/splits.rs"]
mod splits;
mod support;
#[path = "esl/switch.rs"]
mod switch;
