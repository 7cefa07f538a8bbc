//! Names as words of an `api conference` command line.
//!
//! conference_api.c cuts the line at blanks; a quote or a backslash changes how (switch_utils.c,
//! `separate_string_blank_delim`), and a line that begins with `^^` another delimiter. A name that would
//! be taken apart, or that is a command itself, cannot be said.

/// A name that cannot be said to FreeSWITCH in a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its name cannot be sent to FreeSWITCH safely")]
pub struct Unaddressable;

/// Commands without a conference: a conference of that name is shadowed by them (conference_api.c).
const GLOBAL_COMMANDS: [&str; 6] = ["list", "count", "json_list", "xml_list", "help", "bgdial"];
/// Long enough for every name that FreeSWITCH itself makes, short enough for its buffers.
const LONGEST: usize = 256;

/// The name of a conference as one word.
///
/// # Errors
/// If FreeSWITCH would read it as something else.
pub fn conference_word(name: &str) -> Result<&str, Unaddressable> {
    let refused =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\'' | '"' | '\\' | '`' | ';' | '|');
    let shadowed = GLOBAL_COMMANDS.iter().any(|command| command.eq_ignore_ascii_case(name));
    if name.is_empty() || name.len() > LONGEST || shadowed || name.starts_with("^^") || name.contains("${") {
        return Err(Unaddressable);
    }
    if name.contains(refused) { Err(Unaddressable) } else { Ok(name) }
}

/// The name of a conference as the word in front of `json_list`. While a conference is called like a global
/// command it goes before that; otherwise the answer is none that could be taken for its list.
///
/// # Errors
/// If FreeSWITCH would read it as something else, or do something.
pub(super) fn listable_word(name: &str) -> Result<&str, Unaddressable> {
    match name {
        "list" | "count" | "json_list" | "xml_list" => Ok(name),
        _ => conference_word(name),
    }
}

/// A call id as the word behind `uuid=`. A SIP Call-ID may hold nearly everything; what is not plain is
/// addressed by its member id instead.
///
/// # Errors
/// If it holds anything but letters, digits and `. _ @ : -`.
pub fn call_word(call_id: &str) -> Result<&str, Unaddressable> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@:-".contains(&byte);
    let fits = !call_id.is_empty() && call_id.len() <= LONGEST;
    if fits && call_id.bytes().all(plain) { Ok(call_id) } else { Err(Unaddressable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_become_another_command_cannot_be_said() {
        for hostile in [
            "",
            "a b",
            "a\tb",
            "a\nb",
            "a\r\n\r\nb",
            "a'b",
            "a\"b",
            "a\\b",
            "^^:a",
            "${system(id)}",
            "a$${x}",
            "list",
            "COUNT",
            "a;b",
            "a|b",
            "a\u{2028}b",
            "a\u{0}b",
        ] {
            assert_eq!(conference_word(hostile), Err(Unaddressable), "{hostile:?}");
            assert_eq!(call_word(hostile).ok().filter(|_| hostile.contains(' ')), None, "{hostile:?}");
        }
        assert!(conference_word(&"x".repeat(257)).is_err());
        for plain in ["5edbfdd3b825314a71b0a05957392edb", "3000@example.com", "edge.1_x-1", "été", "listing"]
        {
            assert_eq!(conference_word(plain), Ok(plain));
        }
        assert_eq!(call_word("a84b4c76e66710@pc33.example.com"), Ok("a84b4c76e66710@pc33.example.com"));
        for strange in ["it's", "{a=b}", "a b", "a,b", "ü", "a=b", ""] {
            assert_eq!(call_word(strange), Err(Unaddressable), "{strange:?}");
        }
    }
}
