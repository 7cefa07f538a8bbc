//! The commands that work on the database, as an operator runs them: the real program, real files.

#[path = "cli_database/broken.rs"]
mod broken;
#[path = "cli_database/credentials.rs"]
mod credentials;
#[path = "cli_database/interrupted.rs"]
mod interrupted;
#[path = "cli_database/large.rs"]
mod large;
#[path = "cli_database/migrate.rs"]
mod migrate;
#[path = "cli_database/roundtrip.rs"]
mod roundtrip;
#[path = "cli_database/site.rs"]
mod site;
