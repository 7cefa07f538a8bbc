//! `conference list summary` into names: what runs on a node, in few octets (conference_api.c,
//! `conference_api_sub_list`).

/// The names of all conferences; `None` if this is not a summary. A conference called `list` takes the
/// command for itself, and what it prints must not read as "nothing runs".
pub(super) fn names_in(printed: &str) -> Option<Vec<&str>> {
    if printed.trim_end() == "+OK No active conferences." {
        return Some(Vec::new());
    }
    let names: Option<Vec<_>> = printed.lines().map(name_in).collect();
    names.filter(|names| !names.is_empty())
}

/// The name in a line: `+OK Conference NAME (2 members rate: 8000 flags: ...)`.
fn name_in(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("+OK Conference ")?;
    let (end, _) = rest.rmatch_indices(" (").find(|(at, _)| {
        let digits = rest[at + 2..].trim_start_matches(|c: char| c.is_ascii_digit());
        digits.len() < rest.len() - at - 2 && digits.starts_with(" member")
    })?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_the_names() {
        for (line, name) in [
            ("+OK Conference alpha (2 members rate: 8000 flags: running|answered)", Some("alpha")),
            ("+OK Conference beta (1 member rate: 8000 locked flags: locked|running)", Some("beta")),
            (
                "+OK Conference eps.with-dash_(1 member (0 members rate: 8000 flags: destruct)",
                Some("eps.with-dash_(1 member"),
            ),
            ("7;sofia/internal/7000@127.0.0.1;e17cc4ee;Beta 0;7000;hear|speak;0;0;100", None),
        ] {
            assert_eq!(name_in(line), name, "{line}");
        }
    }

    #[test]
    fn what_is_no_summary_does_not_say_that_nothing_runs() {
        assert_eq!(names_in("+OK No active conferences.\n"), Some(vec![]));
        let two = "+OK Conference a (1 member rate: 8000 flags: running)\n\
                   +OK Conference b b (2 members rate: 8000 flags: running)\n";
        assert_eq!(names_in(two), Some(vec!["a", "b b"]));
        let spoilt = format!("{two}-ERR no reply\n");
        for other in ["", "\n", "-ERR Conference command 'summary' not found.\n", "0", &spoilt] {
            assert_eq!(names_in(other), None, "{other:?}");
        }
    }
}
