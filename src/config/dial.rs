//! `[dial]`: how the switch calls phones into a conference.

use serde::Deserialize;

/// `[dial]`: how the switch calls phones into a conference.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dial {
    /// The dial string of a telephone number, with `{number}` in it; without it none is called.
    pub number: Option<String>,
    /// The dial string of a SIP URI, with `{uri}` in it.
    pub uri: String,
    /// How long a phone may ring, in seconds.
    pub timeout_s: u32,
    /// The name that a called phone shows; without it the switch's own.
    pub caller_id_name: Option<String>,
    /// The number that a called phone shows; without it the switch's own.
    pub caller_id_number: Option<String>,
    /// How many calls may be under way at the same time, over all accounts.
    pub max_pending: u32,
}

impl Default for Dial {
    fn default() -> Self {
        Self {
            number: None,
            uri: "sofia/internal/{uri}".into(),
            timeout_s: 30,
            caller_id_name: None,
            caller_id_number: None,
            max_pending: 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Environment};

    fn problems(keys: &str) -> Vec<String> {
        let text = format!("[dial]\n{keys}\n");
        let config = Config::parse(&text, Path::new("conf.toml"), &Environment::empty()).unwrap();
        config.check().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_cannot_be_dialled_stops_the_start_and_is_named() {
        for (keys, named) in [
            (
                "number = \"sofia/gateway/carrier\"",
                "dial.number: expected a dial string with {number} once in it",
            ),
            ("number = \"{x=1}sofia/gateway/a/{number}\"", "dial.number: must not hold '{'"),
            ("uri = \"\"", "dial.uri: expected a dial string with {uri} once in it"),
            ("uri = \"sofia/internal/{uri} &park()\"", "dial.uri: must not hold ' '"),
            ("caller_id_name = \"it's\"", "dial.caller_id_name: must not hold '\\''"),
            ("caller_id_number = \"\"", "dial.caller_id_number: must not be empty"),
            ("timeout_s = 0", "dial.timeout_s: expected 1 to 600, found 0"),
            ("timeout_s = 601", "dial.timeout_s: expected 1 to 600, found 601"),
            ("max_pending = 0", "dial.max_pending: expected 1 to 100000, found 0"),
        ] {
            let found = problems(keys);
            assert!(found.len() == 1 && found[0].starts_with(named), "{keys}: {found:?}");
        }
        let all = problems("number = \"x\"\nuri = \"y\"\ncaller_id_name = \",\"\ncaller_id_number = \" \"");
        assert_eq!(all.len(), 4, "{all:?}");
        let fine = "number = \"sofia/gateway/carrier/{number}\"\nuri = \"sofia/external/{uri};transport=tcp\"\n\
                    caller_id_name = \"Conference (Berlin)\"\ncaller_id_number = \"+4930\"";
        assert_eq!(problems(fine), Vec::<String>::new());
    }
}
