//! TOML file and environment into checked data.
