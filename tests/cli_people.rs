//! The commands for people, as people and scripts use them: the real program against a real daemon and a simulated
//! switch.

#[path = "cli_people/acting.rs"]
mod acting;
#[path = "support/rest.rs"]
mod client;
#[path = "cli_people/desk.rs"]
mod desk;
#[path = "cli_people/documents.rs"]
mod documents;
#[path = "cli_people/pictures.rs"]
mod pictures;
#[path = "rest/process.rs"]
#[allow(dead_code, reason = "a part is used")]
mod process;
#[path = "cli_people/screen.rs"]
mod screen;
#[path = "cli_people/trouble.rs"]
mod trouble;
#[path = "cli_people/watching.rs"]
mod watching;
